import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from bank.app import create_app
from bank.settings import BankSettings
from shopkit.app import Service
from shopkit.world import World


@dataclass
class Receiver(httpx.AsyncBaseTransport):
    """The shop's end of the webhook; the first `failures` requests are answered 503."""

    failures: int = 0
    heard: list[httpx.Request] = field(default_factory=list)
    enough: asyncio.Event = field(default_factory=asyncio.Event)
    wanted: int = 2

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        self.heard.append(request)
        if len(self.heard) >= self.wanted + self.failures:
            self.enough.set()
        return httpx.Response(503 if len(self.heard) <= self.failures else 200)


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


@pytest.fixture
async def bank(bank_settings: BankSettings, receiver: Receiver) -> AsyncIterator[Service]:
    hook = {
        "webhook_url": "http://shop/api/v1/webhooks/bank",
        "webhook_poll": 0.02,
        "webhook_retry": 0.01,
    }
    service = create_app(bank_settings.model_copy(update=hook), World(http=receiver))
    await service.start()
    await service.settled()
    yield service
    await service.stop()


async def pay(http: httpx.AsyncClient) -> str:
    form = {"amount": "5", "currency": "eur", "payment_method": "tok_ok"}
    intent = (await http.post("/v1/payment_intents", data=form)).json()
    await http.post(f"/v1/payment_intents/{intent['id']}/confirm")
    return str(intent["id"])


async def heard(receiver: Receiver) -> list[dict[str, Any]]:
    async with asyncio.timeout(5):
        await receiver.enough.wait()
    return [json.loads(request.content) for request in receiver.heard]


async def test_an_event_is_sent_twice_and_signed(
    http: httpx.AsyncClient, receiver: Receiver
) -> None:
    intent_id = await pay(http)
    first, second = await heard(receiver)
    assert first == second
    assert (first["type"], first["data"]["object"]["id"]) == ("payment_intent.succeeded", intent_id)
    request = receiver.heard[0]
    assert request.url.path == "/api/v1/webhooks/bank"
    given = dict(part.split("=") for part in request.headers["Stripe-Signature"].split(","))
    signed = given["t"].encode() + b"." + request.content
    assert given["v1"] == hmac.new(b"whsec", signed, hashlib.sha256).hexdigest()


async def test_a_webhook_that_fails_is_sent_again(
    http: httpx.AsyncClient, receiver: Receiver
) -> None:
    receiver.failures = 3
    await pay(http)
    assert len(await heard(receiver)) == 5
