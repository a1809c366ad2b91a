import asyncio
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from catalog.app import create_app
from catalog.messages import CommitStock, Line, ReleaseStock, ReserveStock
from catalog.settings import CatalogSettings
from catalog.tables import products, reservations, stock, stock_movements
from shopkit.app import Service
from shopkit.schema import dead_letters
from shopkit.testing import running, until

SKUS = ("apple", "pear")


def reserve(order_id: str, *lines: tuple[str, int]) -> ReserveStock:
    wanted = tuple(Line(sku=sku, quantity=quantity) for sku, quantity in lines)
    return ReserveStock(order_id=order_id, lines=wanted)


async def shelve(catalog: Service, on_hand: int) -> None:
    async with catalog.db.transaction("shelve") as tx:
        for sku in SKUS:
            row = {"sku": sku, "title": sku, "description": "", "category": "fruit"}
            row |= {"price": 100, "currency": "EUR", "image": "", "version": 1}
            await tx.execute(sa.insert(products).values(**row, created_at=tx.clock.now()))
            await tx.execute(sa.insert(stock).values(sku=sku, on_hand=on_hand, held=0))


async def levels(catalog: Service) -> dict[str, tuple[int, int]]:
    async with catalog.db.read() as tx:
        rows = await tx.all(sa.select(stock))
    return {row.sku: (row.on_hand, row.held) for row in rows}


async def moved(catalog: Service) -> dict[str, tuple[int, int]]:
    """The sums of the movements, which must explain the levels."""
    sums = sa.func.sum(stock_movements.c.on_hand), sa.func.sum(stock_movements.c.held)
    query = sa.select(stock_movements.c.sku, *sums).group_by(stock_movements.c.sku)
    async with catalog.db.read() as tx:
        return {sku: (int(on_hand), int(held)) for sku, on_hand, held in await tx.all(query)}


async def status(catalog: Service, order_id: str) -> str | None:
    async with catalog.db.read() as tx:
        query = sa.select(reservations.c.status).where(reservations.c.order_id == order_id)
        value: str | None = await tx.scalar(query)
    return value


@pytest.fixture
def order_id() -> str:
    return str(uuid4())


async def test_stock_is_held_then_committed(catalog: Service, orders: Any, order_id: str) -> None:
    await shelve(catalog, 5)
    await orders.send(reserve(order_id, ("pear", 2), ("apple", 1)))
    assert await orders.hear() == [("StockReserved", {"order_id": order_id})]
    assert await levels(catalog) == {"apple": (5, 1), "pear": (5, 2)}
    await orders.send(CommitStock(order_id=order_id))
    assert await orders.hear() == [("StockCommitted", {"order_id": order_id})]
    assert await levels(catalog) == {"apple": (4, 0), "pear": (3, 0)}
    assert await moved(catalog) == {"apple": (-1, 0), "pear": (-2, 0)}


async def test_without_stock_for_one_line_nothing_is_held(
    catalog: Service, orders: Any, order_id: str
) -> None:
    await shelve(catalog, 5)
    await orders.send(reserve(order_id, ("apple", 2), ("pear", 6)))
    rejected = {"order_id": order_id, "sku": "pear", "reason": "out-of-stock"}
    assert await orders.hear() == [("StockRejected", rejected)]
    assert await levels(catalog) == {"apple": (5, 0), "pear": (5, 0)}
    assert await moved(catalog) == {}


async def test_what_is_not_sold_is_rejected(catalog: Service, orders: Any, order_id: str) -> None:
    await orders.send(reserve(order_id, ("moon", 1)))
    rejected = {"order_id": order_id, "sku": "moon", "reason": "unknown-product"}
    assert await orders.hear() == [("StockRejected", rejected)]


async def test_a_rejection_stays_one_after_a_restock(
    catalog: Service, orders: Any, order_id: str
) -> None:
    await shelve(catalog, 0)
    await orders.send(reserve(order_id, ("apple", 1)))
    await orders.hear()
    async with catalog.db.transaction("restock") as tx:
        await tx.execute(sa.update(stock).values(on_hand=9))
    await orders.send(reserve(order_id, ("apple", 1)), attempt=2)
    assert (await orders.hear())[0][0] == "StockRejected"
    assert (await levels(catalog))["apple"] == (9, 0)


async def test_a_duplicate_command_is_answered_again_and_holds_once(
    catalog: Service, orders: Any, order_id: str
) -> None:
    """Rule d."""
    await shelve(catalog, 5)
    for attempt in (1, 2, 3):
        await orders.send(reserve(order_id, ("apple", 1)), attempt=attempt)
        assert await orders.hear() == [("StockReserved", {"order_id": order_id})]
    assert (await levels(catalog))["apple"] == (5, 1)


async def test_a_release_gives_back_what_was_held(
    catalog: Service, orders: Any, order_id: str
) -> None:
    await shelve(catalog, 5)
    await orders.send(reserve(order_id, ("apple", 1)))
    await orders.hear()
    for attempt in (1, 2):
        await orders.send(ReleaseStock(order_id=order_id), attempt=attempt)
        assert await orders.hear() == [("StockReleased", {"order_id": order_id})]
    assert (await levels(catalog))["apple"] == (5, 0)
    assert (await moved(catalog))["apple"] == (0, 0)


async def test_a_reserve_that_comes_after_its_release_takes_nothing(
    catalog: Service, orders: Any, order_id: str
) -> None:
    """The tombstone."""
    await shelve(catalog, 5)
    await orders.send(ReleaseStock(order_id=order_id))
    assert (await orders.hear())[0][0] == "StockReleased"
    await orders.send(reserve(order_id, ("apple", 1)))
    rejected = {"order_id": order_id, "sku": "apple", "reason": "released"}
    assert await orders.hear() == [("StockRejected", rejected)]
    assert (await levels(catalog))["apple"] == (5, 0)


async def test_a_commit_without_a_hold_is_a_dead_letter(
    catalog: Service, orders: Any, order_id: str
) -> None:
    await shelve(catalog, 5)
    await orders.send(CommitStock(order_id=order_id))

    async def buried() -> Any:
        async with catalog.db.read() as tx:
            return await tx.one(sa.select(dead_letters))

    await until(buried)
    assert "InvariantViolation" in (await buried()).error
    assert await status(catalog, order_id) is None


async def test_a_committed_order_is_not_released(
    catalog: Service, orders: Any, order_id: str
) -> None:
    await shelve(catalog, 5)
    for body in (reserve(order_id, ("apple", 1)), CommitStock(order_id=order_id)):
        await orders.send(body)
        await orders.hear()
    await orders.send(ReleaseStock(order_id=order_id))

    async def buried() -> bool:
        async with catalog.db.read() as tx:
            return await tx.one(sa.select(dead_letters)) is not None

    await until(buried)
    assert await status(catalog, order_id) == "COMMITTED"
    assert (await levels(catalog))["apple"] == (4, 0)


async def test_many_orders_at_two_replicas_share_the_last_units(
    catalog: Service, orders: Any, catalog_settings: CatalogSettings
) -> None:
    await shelve(catalog, 5)
    second = [create_app(catalog_settings, catalog.world)] if catalog_settings.database_url else []
    ids = [str(uuid4()) for _ in range(24)]
    async with running(*second):
        both = [("apple", 1), ("pear", 1)]
        for number, id in enumerate(ids):
            await orders.send(reserve(id, *(both if number % 2 else reversed(both))))
        heard = [type for type, _ in await orders.hear(len(ids))]
    assert (heard.count("StockReserved"), heard.count("StockRejected")) == (5, 19)
    assert await levels(catalog) == {"apple": (5, 5), "pear": (5, 5)}
    assert await moved(catalog) == {"apple": (0, 5), "pear": (0, 5)}


async def test_a_reserve_racing_its_release_leaves_nothing_held(
    catalog: Service, orders: Any, catalog_settings: CatalogSettings
) -> None:
    await shelve(catalog, 5)
    second = [create_app(catalog_settings, catalog.world)] if catalog_settings.database_url else []
    ids = [str(uuid4()) for _ in range(12)]
    async with running(*second):
        for id in ids:
            bodies = [reserve(id, ("apple", 1)), ReleaseStock(order_id=id)]
            await asyncio.gather(*map(orders.send, bodies))
        await orders.hear(2 * len(ids))
    assert (await levels(catalog))["apple"] == (5, 0)
    assert {await status(catalog, id) for id in ids} <= {"RELEASED", "REJECTED"}


async def test_the_database_itself_refuses_to_oversell(catalog: Service) -> None:
    await shelve(catalog, 5)
    for values in ({"held": 6}, {"held": -1}, {"on_hand": -1}):
        with pytest.raises(DBAPIError, match="stock_never_oversold"):
            async with catalog.db.transaction("oversell") as tx:
                await tx.execute(sa.update(stock).values(values))


async def test_movements_cannot_be_rewritten(catalog: Service, orders: Any, order_id: str) -> None:
    await shelve(catalog, 5)
    await orders.send(reserve(order_id, ("apple", 1)))
    await orders.hear()
    for statement in (sa.update(stock_movements).values(held=0), sa.delete(stock_movements)):
        with pytest.raises(DBAPIError, match="append-only"):
            async with catalog.db.transaction("tamper") as tx:
                await tx.execute(statement)
