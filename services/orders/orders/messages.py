"""The messages that orders sends and the replies it understands."""

from pydantic import BaseModel, ConfigDict

from shopkit.messages import Body


class Line(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")
    sku: str
    quantity: int


class ReserveStock(Body):
    order_id: str
    lines: tuple[Line, ...]


class ReleaseStock(Body):
    order_id: str


class CommitStock(Body):
    order_id: str


class ChargePayment(Body):
    order_id: str
    user_id: str
    payment_method_id: str
    amount: int
    currency: str


class CancelCharge(Body):
    order_id: str


class EraseUser(Body):
    user_id: str


class UserErased(Body):
    user_id: str
    service: str


class StockReserved(Body):
    order_id: str


class StockRejected(Body):
    order_id: str
    sku: str
    reason: str


class StockReleased(Body):
    order_id: str


class StockCommitted(Body):
    order_id: str


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
    """`refunded` in minor units; 0 when nothing was charged."""

    order_id: str
    refunded: int


REPLIES: tuple[type[Body], ...] = (
    StockReserved,
    StockRejected,
    StockReleased,
    StockCommitted,
    Charged,
    Declined,
    ActionRequired,
    ChargeCancelled,
)
