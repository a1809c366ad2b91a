"""The real thing below the handlers: PostgreSQL and NATS JetStream."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from catalog.messages import CommitStock, Line, ReserveStock
from catalog.settings import CatalogSettings
from catalog.tables import products, stock
from shopkit.app import Service
from shopkit.clock import SystemClock
from shopkit.transport.nats import NatsTransport


@pytest.fixture
def database(postgres_url: str) -> dict[str, str]:
    return {"database_url": postgres_url}


@pytest.fixture
def catalog_settings(catalog_settings: CatalogSettings, nats_url: str) -> CatalogSettings:
    return catalog_settings.model_copy(update={"nats_url": SecretStr(nats_url)})


@pytest.fixture
async def transport(nats_url: str) -> AsyncIterator[NatsTransport]:
    connected = NatsTransport("orders", nats_url, 10, SystemClock())
    await connected.start()
    yield connected
    await connected.stop()


async def test_stock_is_reserved_answered_again_and_committed(
    catalog: Service, orders: Any
) -> None:
    row = {"sku": "pear", "title": "Pear", "description": "", "category": "fruit"}
    row |= {"price": 100, "currency": "EUR", "image": "", "version": 1}
    async with catalog.db.transaction("shelve") as tx:
        await tx.execute(sa.insert(products).values(**row, created_at=tx.clock.now()))
        await tx.execute(sa.insert(stock).values(sku="pear", on_hand=3, held=0))
    order_id = str(uuid4())
    wanted = ReserveStock(order_id=order_id, lines=(Line(sku="pear", quantity=2),))
    for attempt in (1, 2):
        await orders.send(wanted, attempt=attempt)
        assert await orders.hear() == [("StockReserved", {"order_id": order_id})]
    await orders.send(CommitStock(order_id=order_id))
    assert (await orders.hear())[0][0] == "StockCommitted"
    async with catalog.db.read() as tx:
        left = await tx.one(sa.select(stock.c.on_hand, stock.c.held))
    assert tuple(left) == (1, 0)
