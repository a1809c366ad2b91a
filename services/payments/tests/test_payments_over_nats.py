"""The real thing below the handlers: PostgreSQL and NATS JetStream."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
from pydantic import SecretStr

from payments.settings import PaymentsSettings
from shopkit.transport.nats import NatsTransport
from shopkit.world import World

Town = Any


@pytest.fixture
def payments_settings(
    payments_settings: PaymentsSettings, postgres_url: str, nats_url: str
) -> PaymentsSettings:
    urls = {"database_url": SecretStr(postgres_url), "nats_url": SecretStr(nats_url)}
    return payments_settings.model_copy(update=urls)


@pytest.fixture
async def transport(world: World, nats_url: str) -> AsyncIterator[NatsTransport]:
    connected = NatsTransport("orders", nats_url, 10, world.clock)
    await connected.start()
    yield connected
    await connected.stop()


async def test_an_order_is_charged_then_given_back(town: Town) -> None:
    order_id, method = str(uuid4()), await town.method()
    for attempt in (1, 2):
        await town.charge(order_id, method, attempt=attempt)
        assert (await town.heard())[0] == "Charged"
    await town.cancel(order_id)
    cancelled = {"order_id": order_id, "refunded": 500}
    assert await town.heard() == ("ChargeCancelled", cancelled)
    assert await town.bank_ledger() == [("charge", 500), ("refund", -500)]
