"""3-D Secure, and the webhook that tells of it."""

import time
from typing import Any

import httpx
import pytest

from bank.tables import intents
from bank.wire import signature
from payments.settings import PaymentsSettings
from payments.signatures import is_signed
from shopkit.testing import client_of, until

Town = Any


@pytest.fixture
def payments_settings(payments_settings: PaymentsSettings) -> PaymentsSettings:
    """Only a webhook makes the worker look again within the test."""
    return payments_settings.model_copy(update={"action_poll": 3600})


async def asked(town: Town, order_id: str) -> str:
    """The bank's page for a payment that waits for the customer."""
    await town.charge(order_id, await town.method("tok_requires_action"))
    type, body = await town.heard()
    assert type == "ActionRequired"
    return httpx.URL(body["url"]).path


async def answer(town: Town, page: str, choice: str) -> None:
    async with client_of(town.bank) as browser:
        await browser.post(page, data={"answer": choice})


@pytest.mark.parametrize(
    ("choice", "expected", "booked"),
    [("approve", "Charged", [("charge", 500)]), ("refuse", "Declined", [])],
)
async def test_the_webhook_makes_the_answer_prompt(
    town: Town, order_id: str, choice: str, expected: str, booked: list[tuple[str, int]]
) -> None:
    page = await asked(town, order_id)
    town.hosts.apps["payments"] = town.payments.app
    await answer(town, page, choice)
    assert (await town.heard())[0] == expected
    assert await town.bank_ledger() == booked


async def test_a_cancel_while_the_customer_thinks_moves_nothing(town: Town, order_id: str) -> None:
    page = await asked(town, order_id)
    await town.cancel(order_id)
    assert (await town.heard())[0] == "ChargeCancelled"
    await answer(town, page, "approve")
    assert await town.bank_ledger() == []


async def test_a_webhook_only_makes_the_worker_look(town: Town, order_id: str) -> None:
    """Signed or not, what it says is never believed."""
    await asked(town, order_id)
    async with town.bank.db.read() as tx:
        intent_id = (await tx.one(intents.select())).id
    lie = b'{"type": "payment_intent.succeeded", "data": {"object": {"id": "%s"}}}'
    body = lie % intent_id.encode()
    looks = len(town.hosts.heard)
    signed = signature(body, secret="whsec_test", timestamp=int(time.time()))
    async with client_of(town.payments) as http:
        answer = await http.post(
            "/api/v1/webhooks/bank", content=body, headers={"Stripe-Signature": signed}
        )
    assert answer.json() == {"received": True}
    await until(lambda: len(town.hosts.heard) > looks, 20)
    assert town.hosts.heard[-1] == ("GET", f"/v1/payment_intents/{intent_id}")
    assert await town.bank_ledger() == []
    assert town.payments.world.broker.waiting() == 0


@pytest.mark.parametrize("given", ["", "t=1,v1=00", "v1=00", "t=x,v1=00"])
async def test_a_forged_webhook_is_refused(town: Town, given: str) -> None:
    async with client_of(town.payments) as http:
        answer = await http.post(
            "/api/v1/webhooks/bank", content=b"{}", headers={"Stripe-Signature": given}
        )
    assert (answer.status_code, answer.json()["type"]) == (401, "urn:shop:problem:unauthenticated")


async def test_a_signed_webhook_that_says_nothing_is_a_problem(town: Town) -> None:
    signed = signature(b"{}", secret="whsec_test", timestamp=int(time.time()))
    async with client_of(town.payments) as http:
        answer = await http.post(
            "/api/v1/webhooks/bank", content=b"{}", headers={"Stripe-Signature": signed}
        )
    assert answer.status_code == 422


@pytest.mark.parametrize(
    ("body", "secret", "now", "expected"),
    [
        (b"{}", "s", 1000, True),
        (b"{}", "s", 1300, True),
        (b"{}", "s", 1301, False),
        (b"{}", "s", 699, False),
        (b"[]", "s", 1000, False),
        (b"{}", "x", 1000, False),
    ],
)
def test_a_signature_holds_five_minutes(
    body: bytes, secret: str, now: float, expected: bool
) -> None:
    header = signature(b"{}", secret="s", timestamp=1000)
    assert is_signed(body, header, secret=secret, now=now) is expected
