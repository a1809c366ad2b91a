"""What the toys say to each other."""

from shopkit.messages import Body


class Hold(Body):
    order_id: str


class Held(Body):
    order_id: str


class Refused(Body):
    order_id: str


class Pay(Body):
    order_id: str


class Paid(Body):
    order_id: str


class Release(Body):
    order_id: str


class Released(Body):
    order_id: str
