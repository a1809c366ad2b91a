"""Stripe's answers as the worker has to understand them."""

import httpx
import pytest

from payments.app import provider
from payments.domain import IntentState
from payments.provider import Refused, StripeProvider, Unresolved
from payments.settings import PaymentsSettings
from shopkit.app import Service
from shopkit.world import World


class Wire(httpx.AsyncBaseTransport):
    """Answers everything with one recorded response."""

    def __init__(self) -> None:
        self.status, self.body = 200, "{}"

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return httpx.Response(self.status, text=self.body)


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
async def stripe(wire: Wire) -> StripeProvider:
    settings = PaymentsSettings(bank_url="http://bank", bank_secret="sk")
    return provider(Service("payments", settings, World(http=wire)), settings)


@pytest.mark.parametrize("status", [401, 403, 409, 429, 500, 503])
async def test_an_answer_that_says_nothing_of_the_money_leaves_it_open(
    stripe: StripeProvider, wire: Wire, status: int
) -> None:
    wire.status = status
    with pytest.raises(Unresolved, match=str(status)):
        await stripe.confirm("pi_1", key="k")


@pytest.mark.parametrize(
    "error",
    [
        '{"type": "invalid_request_error", "code": "resource_missing", "param": "intent"}',
        '{"type": "idempotency_error"}',
    ],
)
async def test_a_lost_intent_or_a_reused_key_is_not_a_decline(
    stripe: StripeProvider, wire: Wire, error: str
) -> None:
    wire.status, wire.body = 400, f'{{"error": {error}}}'
    with pytest.raises(Unresolved):
        await stripe.confirm("pi_1", key="k")


@pytest.mark.parametrize("body", ["", "<html>", '{"id": "pi_1"}', '{"status": "teapot"}'])
async def test_an_unreadable_answer_leaves_it_open(
    stripe: StripeProvider, wire: Wire, body: str
) -> None:
    wire.body = body
    with pytest.raises(Unresolved, match="unreadable"):
        await stripe.look("pi_1")


async def test_a_refused_card_on_creation_is_a_refusal(stripe: StripeProvider, wire: Wire) -> None:
    wire.status = 402
    wire.body = '{"error": {"type": "card_error", "code": "card_declined"}}'
    with pytest.raises(Refused, match="card_declined"):
        await stripe.create(key="k", order_id="o", amount=1, currency="EUR", token="tok_ok")


async def test_an_error_that_carries_the_intent_tells_its_state(
    stripe: StripeProvider, wire: Wire
) -> None:
    wire.status = 400
    intent = '{"id": "pi_1", "status": "succeeded"}'
    error = f'"type": "invalid_request_error", "code": "x", "payment_intent": {intent}'
    wire.body = f'{{"error": {{{error}}}}}'
    assert (await stripe.cancel("pi_1")).state is IntentState.SUCCEEDED


async def test_a_decline_keeps_the_banks_reason(stripe: StripeProvider, wire: Wire) -> None:
    why = '{"code": "card_declined", "decline_code": "insufficient_funds"}'
    wire.body = (
        f'{{"id": "pi_1", "status": "requires_payment_method", "last_payment_error": {why}}}'
    )
    intent = await stripe.look("pi_1")
    assert (intent.state, intent.reason) == (IntentState.DECLINED, "insufficient_funds")
