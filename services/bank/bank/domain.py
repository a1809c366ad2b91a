"""What the bank knows about money: intents, refunds and the test tokens. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum


class IntentStatus(StrEnum):
    """The states of Stripe's PaymentIntent that automatic capture can reach."""

    REQUIRES_CONFIRMATION = "requires_confirmation"
    REQUIRES_ACTION = "requires_action"
    REQUIRES_PAYMENT_METHOD = "requires_payment_method"
    SUCCEEDED = "succeeded"
    CANCELED = "canceled"


class RefundStatus(StrEnum):
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class Token(StrEnum):
    """Payment methods that behave in one agreed way."""

    OK = "tok_ok"
    DECLINED = "tok_declined"
    REQUIRES_ACTION = "tok_requires_action"
    SLOW = "tok_slow"
    TIMEOUT_AFTER_CHARGE = "tok_timeout_after_charge"
    ERROR_AFTER_CHARGE = "tok_error_after_charge"
    REFUND_FAILS_ONCE = "tok_refund_fails_once"


@dataclass(frozen=True)
class Intent:
    """`amount` is in minor units; `created` in Unix seconds."""

    id: str
    amount: int
    currency: str
    payment_method: Token
    created: int
    status: IntentStatus = IntentStatus.REQUIRES_CONFIRMATION
    metadata: Mapping[str, str] = field(default_factory=dict)
    return_url: str | None = None
    decline_code: str | None = None


@dataclass(frozen=True)
class Refund:
    id: str
    payment_intent: str
    amount: int
    currency: str
    created: int
    status: RefundStatus = RefundStatus.SUCCEEDED
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Event:
    """What a webhook tells; `subject` is the intent or refund as it became."""

    type: str
    subject: Intent | Refund


class Refusal(Exception):
    """A request the bank understood and will not do; `intent` is how it stands now."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        param: str | None = None,
        intent: Intent | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.param, self.intent = status, code, param, intent

    @property
    def type(self) -> str:
        if self.code in IDEMPOTENCY:
            return "idempotency_error"
        return "card_error" if self.status == 402 else "invalid_request_error"


IDEMPOTENCY = ("idempotency_key_reused",)
CARD_DECLINED = "card_declined"
AUTHENTICATION_FAILED = "payment_intent_authentication_failure"


def parse_token(value: str) -> Token:
    try:
        return Token(value)
    except ValueError:
        message = f"No such payment method: '{value}'. Test tokens: {', '.join(Token)}."
        raise Refusal(400, "resource_missing", message, param="payment_method") from None


def confirm(intent: Intent) -> Intent:
    """The customer pays: succeeded, declined or sent to the bank's page."""
    if intent.status is not IntentStatus.REQUIRES_CONFIRMATION:
        raise unexpected_state(intent, "confirm")
    match intent.payment_method:
        case Token.DECLINED:
            return _declined(intent, CARD_DECLINED)
        case Token.REQUIRES_ACTION:
            return replace(intent, status=IntentStatus.REQUIRES_ACTION)
        case _:
            return replace(intent, status=IntentStatus.SUCCEEDED)


def authenticate(intent: Intent, *, approved: bool) -> Intent:
    """The customer's answer on the bank's 3-D Secure page."""
    if intent.status is not IntentStatus.REQUIRES_ACTION:
        raise unexpected_state(intent, "authenticate")
    if not approved:
        return _declined(intent, AUTHENTICATION_FAILED)
    return replace(intent, status=IntentStatus.SUCCEEDED)


def cancel(intent: Intent) -> Intent:
    if intent.status in (IntentStatus.SUCCEEDED, IntentStatus.CANCELED):
        raise unexpected_state(intent, "cancel")
    return replace(intent, status=IntentStatus.CANCELED)


def refund(intent: Intent, earlier: Iterable[Refund], wanted: Refund) -> Refund:
    """`wanted` as the bank carries it out; money already given back cannot leave again."""
    if intent.status is not IntentStatus.SUCCEEDED:
        raise unexpected_state(intent, "refund")
    earlier = list(earlier)
    rest = refundable(intent, earlier)
    if not 0 < wanted.amount <= rest:
        message = f"Refund amount ({wanted.amount}) must be from 1 to what is left ({rest})."
        raise Refusal(400, "amount_too_large" if rest else "charge_already_refunded", message)
    if intent.payment_method is Token.REFUND_FAILS_ONCE and not earlier:
        return replace(wanted, status=RefundStatus.FAILED)
    return wanted


def refundable(intent: Intent, refunds: Iterable[Refund]) -> int:
    return intent.amount - sum(r.amount for r in refunds if r.status is not RefundStatus.FAILED)


def event_of(subject: Intent | Refund) -> Event:
    """The event Stripe would send for a subject that has just changed."""
    if isinstance(subject, Refund):
        failed = subject.status is RefundStatus.FAILED
        return Event("refund.failed" if failed else "refund.updated", subject)
    names = {
        IntentStatus.REQUIRES_CONFIRMATION: "payment_intent.created",
        IntentStatus.REQUIRES_ACTION: "payment_intent.requires_action",
        IntentStatus.REQUIRES_PAYMENT_METHOD: "payment_intent.payment_failed",
        IntentStatus.SUCCEEDED: "payment_intent.succeeded",
        IntentStatus.CANCELED: "payment_intent.canceled",
    }
    return Event(names[subject.status], subject)


def unexpected_state(intent: Intent, verb: str) -> Refusal:
    message = f"You cannot {verb} this PaymentIntent because it has a status of {intent.status}."
    return Refusal(400, "payment_intent_unexpected_state", message, intent=intent)


def _declined(intent: Intent, code: str) -> Intent:
    return replace(intent, status=IntentStatus.REQUIRES_PAYMENT_METHOD, decline_code=code)
