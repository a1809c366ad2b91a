"""The payment provider over Stripe's wire: one adapter for the simulated bank and the real one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from payments.domain import Intent, IntentState
from shopkit.http import BreakerOpen, Client, Unreachable

# An auditor has more time than a customer.
AUDIT: Mapping[str, Any] = {"idempotent": True, "deadline": 20.0}


class Unresolved(Exception):
    """The outcome is unknown or not reached yet: never a failure, always tried again."""


class Refused(Exception):
    """The provider understood the request and will not do it; nothing moved."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True)
class ProviderRefund:
    """`status` in the provider's words: pending, requires_action, succeeded, failed, canceled."""

    status: str
    refund_id: str | None


class Provider(Protocol):
    """Each call ends within the provider deadline: an answer, Refused or Unresolved."""

    async def create(
        self, *, key: str, order_id: str, amount: int, currency: str, token: str
    ) -> Intent: ...

    async def confirm(self, intent_id: str, *, key: str, return_url: str | None = None) -> Intent:
        """`return_url` is where the customer goes from the provider's own page, if there is one."""

    async def look(self, intent_id: str) -> Intent: ...

    async def cancel(self, intent_id: str) -> Intent: ...

    async def refund(self, intent_id: str, *, refund_id: str, amount: int) -> ProviderRefund: ...

    async def refunds(self, intent_id: str) -> Sequence[ProviderRefund]: ...

    async def ledger(self, after: int) -> Mapping[str, Any]:
        """A page of the provider's own record of money: `items` and `next_after`."""

    async def intents(self, after: str) -> Mapping[str, Any]:
        """A page of all there are, in the same form."""


class _Redirect(BaseModel):
    url: str


class _NextAction(BaseModel):
    redirect_to_url: _Redirect | None = None


class _PaymentError(BaseModel):
    code: str = "declined"
    decline_code: str | None = None


class _PaymentIntent(BaseModel):
    id: str
    status: IntentState
    next_action: _NextAction | None = None
    last_payment_error: _PaymentError | None = None
    metadata: Mapping[str, str] = {}

    def intent(self) -> Intent:
        error = self.last_payment_error
        redirect = self.next_action.redirect_to_url if self.next_action else None
        return Intent(
            id=self.id,
            state=self.status,
            reason=(error.decline_code or error.code) if error else None,
            action_url=redirect.url if redirect else None,
        )


class _Intents(BaseModel):
    data: tuple[_PaymentIntent, ...]
    has_more: bool


class _Refund(BaseModel):
    status: str
    metadata: Mapping[str, str] = {}

    def refund(self) -> ProviderRefund:
        return ProviderRefund(self.status, self.metadata.get("refund_id"))


class _Refunds(BaseModel):
    data: tuple[_Refund, ...]


class _Error(BaseModel):
    type: str
    code: str = "refused"
    param: str | None = None
    payment_intent: _PaymentIntent | None = None


class _ErrorBody(BaseModel):
    error: _Error


class StripeProvider:
    """Answers 4xx that carry the intent are its state; 5xx, 401, 409 and 429 leave things open."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def create(
        self, *, key: str, order_id: str, amount: int, currency: str, token: str
    ) -> Intent:
        form = {
            "amount": str(amount),
            "currency": currency.lower(),
            "payment_method": token,
            "metadata[order_id]": order_id,
            "metadata[payment_id]": key,
        }
        answer = await self._post("create_intent", "/v1/payment_intents", form, key)
        return _intent(answer)

    async def confirm(self, intent_id: str, *, key: str, return_url: str | None = None) -> Intent:
        path = f"/v1/payment_intents/{intent_id}/confirm"
        form = {"return_url": return_url} if return_url else {}
        return _intent(await self._post("confirm_intent", path, form, key))

    async def look(self, intent_id: str) -> Intent:
        path = f"/v1/payment_intents/{intent_id}"
        return _intent(await self._send("GET", "look_at_intent", path))

    async def cancel(self, intent_id: str) -> Intent:
        path = f"/v1/payment_intents/{intent_id}/cancel"
        return _intent(await self._post("cancel_intent", path, {}, None))

    async def refund(self, intent_id: str, *, refund_id: str, amount: int) -> ProviderRefund:
        form = {
            "payment_intent": intent_id,
            "amount": str(amount),
            "metadata[refund_id]": refund_id,
        }
        answer = await self._post("create_refund", "/v1/refunds", form, refund_id)
        return _parsed(_Refund, _successful(answer)).refund()

    async def refunds(self, intent_id: str) -> Sequence[ProviderRefund]:
        path = f"/v1/refunds?payment_intent={intent_id}&limit=100"
        answer = await self._send("GET", "list_refunds", path)
        return [refund.refund() for refund in _parsed(_Refunds, _successful(answer)).data]

    async def ledger(self, after: int) -> Mapping[str, Any]:
        answer = await self._send("GET", "read_ledger", f"/ledger?after={after}", **AUDIT)
        page: Mapping[str, Any] = _successful(answer).json()
        return page

    async def intents(self, after: str) -> Mapping[str, Any]:
        start = f"&starting_after={after}" if after else ""
        path = f"/v1/payment_intents?limit=100{start}"
        answer = await self._send("GET", "list_intents", path, **AUDIT)
        page = _parsed(_Intents, _successful(answer))
        items = [intent.model_dump(include={"id", "status", "metadata"}) for intent in page.data]
        return {"items": items, "next_after": page.data[-1].id if page.has_more else None}

    async def _post(
        self, operation: str, path: str, form: Mapping[str, str], key: str | None
    ) -> httpx.Response:
        headers = {"Idempotency-Key": key} if key else {}
        return await self._send("POST", operation, path, form=form, headers=headers)

    async def _send(self, method: str, operation: str, path: str, **options: Any) -> httpx.Response:
        try:
            answer = await self._client.call(method, path, operation=operation, **options)
        except (Unreachable, BreakerOpen) as error:
            raise Unresolved(type(error).__name__) from error
        if answer.status_code >= 500 or answer.status_code in (401, 403, 409, 429):
            raise Unresolved(f"status {answer.status_code}")
        return answer


def _intent(answer: httpx.Response) -> Intent:
    if answer.is_success:
        return _parsed(_PaymentIntent, answer).intent()
    error = _parsed(_ErrorBody, answer).error
    if error.payment_intent is not None:
        return error.payment_intent.intent()
    raise _refusal(error)


def _successful(answer: httpx.Response) -> httpx.Response:
    if answer.is_success:
        return answer
    raise _refusal(_parsed(_ErrorBody, answer).error)


def _refusal(error: _Error) -> Refused | Unresolved:
    """A key used for other parameters, or an intent the bank lost, says nothing about the money."""
    lost = error.code == "resource_missing" and error.param != "payment_method"
    if lost or error.type == "idempotency_error":
        return Unresolved(error.code)
    return Refused(error.code)


M = TypeVar("M", bound=BaseModel)


def _parsed(model: type[M], answer: httpx.Response) -> M:
    try:
        return model.model_validate_json(answer.content)
    except ValidationError as error:
        raise Unresolved("unreadable answer") from error
