"""The messages that payments receives and answers."""

from pydantic import Field

from shopkit.messages import Body


class ChargePayment(Body):
    order_id: str
    user_id: str
    payment_method_id: str
    amount: int = Field(gt=0)
    currency: str = Field(pattern="^[A-Z]{3}$")


class CancelCharge(Body):
    order_id: str


class EraseUser(Body):
    user_id: str


class UserErased(Body):
    user_id: str
    service: str


class Charged(Body):
    order_id: str
    payment_id: str
    amount: int
    currency: str


class Declined(Body):
    order_id: str
    reason: str


class ActionRequired(Body):
    order_id: str
    url: str


class ChargeCancelled(Body):
    """`refunded` is what the bank gave back, in minor units; 0 when nothing was charged."""

    order_id: str
    refunded: int
