"""What the services and the bank say about each order, side by side."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import BaseModel, ConfigDict

# States of the services' rows, in their own words.
COMPLETED, CANCELLED, REJECTED = "COMPLETED", "CANCELLED", "REJECTED"
SUCCEEDED, COMPENSATION, MERCHANT = "SUCCEEDED", "COMPENSATION", "MERCHANT"


class _Fact(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Order(_Fact):
    order_id: str
    user_id: str = ""
    state: str
    total: int
    currency: str
    lines: Mapping[str, int]


class Reservation(_Fact):
    """`moved`: SKU -> change of what is on the shelf and of what is held, over all commands."""

    order_id: str
    status: str
    lines: Mapping[str, int]
    moved: Mapping[str, tuple[int, int]]

    @property
    def effect(self) -> Mapping[str, tuple[int, int]]:
        return {sku: change for sku, change in self.moved.items() if change != (0, 0)}


class Refund(_Fact):
    cause: str
    status: str
    amount: int


class Payment(_Fact):
    """`booked` is what the ledger of payments says the bank holds of it."""

    order_id: str
    status: str
    amount: int
    currency: str | None
    intent_id: str | None
    refunds: tuple[Refund, ...]
    booked: int

    def returned(self, cause: str) -> int:
        done = (r for r in self.refunds if (r.cause, r.status) == (cause, SUCCEEDED))
        return sum(refund.amount for refund in done)


class Move(_Fact):
    """A line of the bank's own ledger."""

    seq: int
    kind: str
    payment_intent: str
    amount: int
    currency: str
    metadata: Mapping[str, str]

    @property
    def order_id(self) -> str:
        return self.metadata.get("order_id", "")


@dataclass(frozen=True)
class Facts:
    """By order id."""

    orders: Mapping[str, Order] = field(default_factory=dict)
    reservations: Mapping[str, Reservation] = field(default_factory=dict)
    payments: Mapping[str, Payment] = field(default_factory=dict)
    bank: tuple[Move, ...] = ()
