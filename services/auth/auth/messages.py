"""The messages that auth sends and the reply it understands."""

from shopkit.messages import Body


class EraseUser(Body):
    user_id: str


class UserErased(Body):
    """`service` has forgotten the user."""

    user_id: str
    service: str
