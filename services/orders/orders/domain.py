"""The order's saga: which message moves which state where, and what is sent then. Pure.

tests/shop/model.py explores this protocol; change it there first.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, assert_never

from orders.messages import (
    ActionRequired,
    CancelCharge,
    ChargeCancelled,
    Charged,
    ChargePayment,
    CommitStock,
    Declined,
    Line,
    ReleaseStock,
    ReserveStock,
    StockCommitted,
    StockRejected,
    StockReleased,
    StockReserved,
)
from shopkit.saga import Deadline, SagaState, Send, Transition


class State(StrEnum):
    RESERVING = "RESERVING"
    CHARGING = "CHARGING"
    PAYMENT_ACTION = "PAYMENT_ACTION"
    VOIDING = "VOIDING"
    RELEASING = "RELEASING"
    CONFIRMED = "CONFIRMED"
    COMPLETED = "COMPLETED"
    REJECTED = "REJECTED"
    CANCELLED = "CANCELLED"


FINAL = frozenset({State.COMPLETED, State.REJECTED, State.CANCELLED})
# The lines go back into the cart.
WITHOUT_SALE = frozenset({State.REJECTED, State.CANCELLED})
# Where a wish to cancel is already being fulfilled.
ENDING = frozenset({State.VOIDING, State.RELEASING, State.CANCELLED})


class Reason(StrEnum):
    """Why an order ends without a sale."""

    CUSTOMER = "customer"
    DEADLINE = "deadline"
    DECLINED = "declined"
    OUT_OF_STOCK = "out-of-stock"


@dataclass(frozen=True)
class Cancel:
    """The customer's wish."""


CATALOG, PAYMENTS = "catalog", "payments"

# Everything else is ignored. A late Charged while VOIDING: the refund is already on its way.
NEXT: Mapping[tuple[State, type], State] = {
    (State.RESERVING, StockReserved): State.CHARGING,
    (State.RESERVING, StockRejected): State.REJECTED,
    (State.RESERVING, Cancel): State.RELEASING,
    (State.RESERVING, Deadline): State.RELEASING,
    (State.CHARGING, Charged): State.CONFIRMED,
    (State.CHARGING, Declined): State.RELEASING,
    (State.CHARGING, ActionRequired): State.PAYMENT_ACTION,
    (State.CHARGING, Cancel): State.VOIDING,
    (State.CHARGING, Deadline): State.VOIDING,
    (State.PAYMENT_ACTION, Charged): State.CONFIRMED,
    (State.PAYMENT_ACTION, Declined): State.RELEASING,
    (State.PAYMENT_ACTION, ActionRequired): State.PAYMENT_ACTION,
    (State.PAYMENT_ACTION, Cancel): State.VOIDING,
    (State.PAYMENT_ACTION, Deadline): State.VOIDING,
    (State.VOIDING, ChargeCancelled): State.RELEASING,
    (State.RELEASING, StockReleased): State.CANCELLED,
    (State.CONFIRMED, StockCommitted): State.COMPLETED,
}


@dataclass(frozen=True)
class Purchase:
    """What the commands of a saga are made of; total in minor units."""

    user_id: str
    payment_method_id: str
    total: int
    currency: str
    lines: tuple[Line, ...]

    def data(self) -> dict[str, Any]:
        """As the saga's row keeps it."""
        return {
            "user_id": self.user_id,
            "payment_method_id": self.payment_method_id,
            "total": self.total,
            "currency": self.currency,
            "lines": [line.model_dump() for line in self.lines],
        }

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> "Purchase":
        return cls(
            data["user_id"],
            data["payment_method_id"],
            data["total"],
            data["currency"],
            tuple(Line.model_validate(line) for line in data["lines"]),
        )


def first(order_id: str, purchase: Purchase) -> Transition:
    """What a new order starts with."""
    send = pending(State.RESERVING, order_id, purchase)
    return Transition(State.RESERVING, send, purchase.data())


def decide(saga: SagaState, message: object) -> Transition | None:
    """None: the message changes nothing in this state."""
    state = NEXT.get((State(saga.state), type(message)))
    if state is None:
        return None
    return Transition(state, pending(state, saga.id, Purchase.of(saga.data)), learned(message))


def pending(state: State, order_id: str, purchase: Purchase) -> Send | None:
    """The command that is sent until its answer moves the order on."""
    match state:
        case State.RESERVING:
            return Send(CATALOG, ReserveStock(order_id=order_id, lines=purchase.lines))
        case State.CHARGING | State.PAYMENT_ACTION:
            return Send(PAYMENTS, _charge(order_id, purchase))
        case State.VOIDING:
            return Send(PAYMENTS, CancelCharge(order_id=order_id))
        case State.RELEASING:
            return Send(CATALOG, ReleaseStock(order_id=order_id))
        case State.CONFIRMED:
            return Send(CATALOG, CommitStock(order_id=order_id))
        case State.COMPLETED | State.REJECTED | State.CANCELLED:
            return None
        case _:
            assert_never(state)


def _charge(order_id: str, purchase: Purchase) -> ChargePayment:
    return ChargePayment(
        order_id=order_id,
        user_id=purchase.user_id,
        payment_method_id=purchase.payment_method_id,
        amount=purchase.total,
        currency=purchase.currency,
    )


def learned(message: object) -> dict[str, str]:
    """What the order keeps of the message that moved it."""
    match message:
        case ActionRequired(url=url):
            return {"action_url": url}
        case Cancel():
            return {"cancel_reason": Reason.CUSTOMER}
        case Deadline():
            return {"cancel_reason": Reason.DEADLINE}
        case Declined():
            return {"cancel_reason": Reason.DECLINED}
        case StockRejected():
            return {"cancel_reason": Reason.OUT_OF_STOCK}
        case _:
            return {}


@dataclass(frozen=True)
class Entry:
    """One line of the order's timeline, for the customer."""

    event: str
    detail: str = ""


PLACED = Entry("PLACED")


def entry(state: State, message: object, *, ignored: bool) -> Entry | None:
    """None: nothing worth telling, such as a deadline that no longer matters."""
    if isinstance(message, Cancel | Deadline):
        event = "CancelRequested" if isinstance(message, Cancel) else "Deadline"
        return None if ignored else Entry(event)
    detail = f"ignored, the order was {state}" if ignored else _detail(message)
    return Entry(type(message).__name__, detail)


def _detail(message: object) -> str:
    match message:
        case StockRejected(sku=sku, reason=reason):
            return f"{sku}: {reason}"
        case Declined(reason=reason):
            return reason
        case ChargeCancelled(refunded=0):
            return "nothing was charged"
        case ChargeCancelled():
            return "the charge was refunded"
        case _:
            return ""
