import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from catalog.app import create_app
from catalog.settings import CatalogSettings
from shopkit.app import Service
from shopkit.auth import Signer, new_keys
from shopkit.clock import Clock
from shopkit.messages import Body, Message, command_id, decode, encode
from shopkit.testing import client_of, running, settings_for, token
from shopkit.transport import Subscription, Transport
from shopkit.transport.memory import MemoryTransport
from shopkit.world import World

ADMIN = "00000000-0000-7000-8000-0000000000ad"


@pytest.fixture(scope="session")
def quote_keys() -> str:
    return new_keys()


@pytest.fixture
def catalog_settings(
    tmp_path: Path, keys: Signer, quote_keys: str, database: dict[str, str]
) -> CatalogSettings:
    quick = {"sqlite_synchronous": "NORMAL", "list_cache": 0, "lock_timeout": 30}
    return settings_for(CatalogSettings, tmp_path, keys, quote_keys=quote_keys, **quick, **database)


@pytest.fixture
async def catalog(catalog_settings: CatalogSettings) -> AsyncIterator[Service]:
    service = create_app(catalog_settings, World())
    await migrated(service)
    async with running(service):
        yield service


async def migrated(service: Service) -> None:
    """As the init container does it."""
    await service.db.open()
    await service.migrate()
    await service.db.close()


@pytest.fixture
async def shopper(catalog: Service) -> AsyncIterator[httpx.AsyncClient]:
    """Nobody signed in."""
    async with client_of(catalog) as client:
        yield client


@pytest.fixture
async def keeper(catalog: Service, keys: Signer) -> AsyncIterator[httpx.AsyncClient]:
    """The shop's admin."""
    bearer = f"Bearer {token(keys, ADMIN, 'customer admin')}"
    async with client_of(catalog, authorization=bearer) as client:
        yield client


class Orders:
    """Asks as the orders service would and hears the answers, in the order they came."""

    def __init__(self, transport: Transport, clock: Clock) -> None:
        self._transport, self._clock = transport, clock
        self._subscription: Subscription | None = None

    async def send(self, body: Body, *, attempt: int = 1) -> None:
        order_id = str(body.model_dump()["order_id"])
        id = command_id(order_id, "catalog", body.type_name())
        message = Message(
            id=id,
            kind="cmd",
            target="catalog",
            type=body.type_name(),
            version=1,
            source="orders",
            time=self._clock.now(),
            correlation_id=order_id,
            causation_id=order_id,
            attempt=attempt,
            traceparent="",
            data=encode(body),
        )
        await self._transport.publish(message)

    async def hear(self, count: int = 1) -> list[tuple[str, dict[str, Any]]]:
        """The next answers as (type, body)."""
        if self._subscription is None:
            self._subscription = await self._transport.subscribe("reply")
        heard: list[tuple[str, dict[str, Any]]] = []
        async with asyncio.timeout(20):
            while len(heard) < count:
                for delivery in await self._subscription.fetch(count - len(heard), 5):
                    await delivery.ack()
                    heard.append((delivery.subject.split(".")[-1], decode(delivery.data)))
        return heard


@pytest.fixture
def transport(catalog: Service) -> Transport:
    return MemoryTransport("orders", catalog.world.broker, ack_wait=10)


@pytest.fixture
def orders(catalog: Service, transport: Transport) -> Orders:
    return Orders(transport, catalog.clock)


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> dict[str, str]:
    """Settings of either database."""
    if request.param == "sqlite":
        return {}
    return {"database_url": request.getfixturevalue("postgres_url")}
