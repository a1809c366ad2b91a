"""Money rules: what to ask the bank next, what its answer means, what is left to refund. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from shopkit.ids import uuid5


class Status(StrEnum):
    """STARTED has no intent at the bank, CREATED has one; the others are as they say."""

    STARTED = "STARTED"
    CREATED = "CREATED"
    ACTION = "ACTION"
    CHARGED = "CHARGED"
    DECLINED = "DECLINED"
    VOID = "VOID"


OPEN = (Status.STARTED, Status.CREATED, Status.ACTION)


class RefundStatus(StrEnum):
    PENDING = "PENDING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"


class Cause(StrEnum):
    """Why money goes back: the order was cancelled, or the merchant decided so."""

    COMPENSATION = "COMPENSATION"
    MERCHANT = "MERCHANT"


@dataclass(frozen=True)
class Payment:
    """`amount` is in minor units; a tombstone of a cancel that came first has none."""

    id: str
    order_id: str
    status: Status
    amount: int
    currency: str
    token: str = ""
    intent_id: str | None = None
    cancel_requested: bool = False
    reason: str | None = None
    action_url: str | None = None


@dataclass(frozen=True)
class Refund:
    id: str
    payment_id: str
    cause: Cause
    amount: int
    status: RefundStatus = RefundStatus.PENDING


class IntentState(StrEnum):
    """What the bank says, in the words of Stripe's PaymentIntent."""

    UNCONFIRMED = "requires_confirmation"
    ACTION = "requires_action"
    PROCESSING = "processing"
    DECLINED = "requires_payment_method"
    SUCCEEDED = "succeeded"
    CANCELED = "canceled"


@dataclass(frozen=True)
class Intent:
    id: str
    state: IntentState
    reason: str | None = None
    action_url: str | None = None


class Step(StrEnum):
    """The next call to the bank for an open payment."""

    VOID = "void"
    CREATE = "create"
    CONFIRM = "confirm"
    LOOK = "look"
    CANCEL = "cancel"


def payment_id(order_id: str) -> str:
    return uuid5(order_id, "payment")


def compensation_id(payment: str, number: int) -> str:
    """Counting makes a decision taken twice the same refund at the bank."""
    return uuid5(payment, f"compensation:{number}")


def next_step(payment: Payment, *, fresh: bool) -> Step | None:
    """None for a payment whose outcome is known.

    `fresh`: this worker has just created the intent, so no earlier confirm can be under way.
    """
    match payment.status:
        case Status.STARTED:
            # Never confirmed, so no money moved: at worst an orphan intent stays at the bank.
            return Step.VOID if payment.cancel_requested else Step.CREATE
        case Status.CREATED if not payment.cancel_requested:
            return Step.CONFIRM if fresh else Step.LOOK
        case Status.ACTION if not payment.cancel_requested:
            return Step.LOOK
        case Status.CREATED | Status.ACTION:
            return Step.CANCEL
        case _:
            return None


@dataclass(frozen=True)
class Outcome:
    """The row as the bank's answer leaves it."""

    status: Status
    reason: str | None = None
    action_url: str | None = None


def outcome(payment: Payment, intent: Intent) -> Outcome | None:
    """None while the bank has not decided: a payment is never closed on a guess."""
    match intent.state:
        case IntentState.SUCCEEDED:
            return Outcome(Status.CHARGED)
        case IntentState.CANCELED if payment.cancel_requested:
            return Outcome(Status.VOID)
        case IntentState.CANCELED:
            return Outcome(Status.DECLINED, reason="canceled_at_bank")
        case IntentState.DECLINED:
            return Outcome(Status.DECLINED, reason=intent.reason or "declined")
        case IntentState.ACTION:
            return Outcome(Status.ACTION, action_url=intent.action_url)
        case _:
            return None


class Reply(StrEnum):
    CHARGED = "Charged"
    DECLINED = "Declined"
    ACTION_REQUIRED = "ActionRequired"


def charge_reply(payment: Payment) -> Reply | None:
    """The answer to ChargePayment by what the row says; None while it is open."""
    match payment.status:
        case Status.CHARGED:
            return Reply.CHARGED
        case Status.DECLINED | Status.VOID:
            return Reply.DECLINED
        case Status.ACTION:
            return Reply.ACTION_REQUIRED
        case _:
            return None


def refundable(payment: Payment, refunds: Iterable[Refund]) -> int:
    """Charged minus refunds not failed."""
    if payment.status is not Status.CHARGED:
        return 0
    return payment.amount - sum(r.amount for r in refunds if r.status is not RefundStatus.FAILED)


def cancelled(payment: Payment, refunds: Iterable[Refund]) -> bool:
    """Whether ChargeCancelled is true: nothing was charged, or the bank gave all of it back."""
    if payment.status in (Status.DECLINED, Status.VOID):
        return True
    given = sum(r.amount for r in refunds if r.status is RefundStatus.SUCCEEDED)
    return payment.status is Status.CHARGED and given == payment.amount


def compensation(payment: Payment, refunds: Iterable[Refund]) -> Refund | None:
    """The refund that a cancelled, charged payment still needs."""
    refunds = list(refunds)
    rest = refundable(payment, refunds)
    if not payment.cancel_requested or rest == 0:
        return None
    number = sum(r.cause is Cause.COMPENSATION for r in refunds)
    return Refund(compensation_id(payment.id, number), payment.id, Cause.COMPENSATION, rest)


@dataclass(frozen=True)
class Line:
    account: str
    amount: int


def charge_entry(amount: int) -> tuple[Line, Line]:
    """Double entry: the lines of one cause sum to zero."""
    return Line("bank", amount), Line("sales", -amount)


def refund_entry(amount: int) -> tuple[Line, Line]:
    return Line("bank", -amount), Line("refunds", amount)
