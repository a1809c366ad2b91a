"""Ways to spoil one row of a shop at rest, and the invariant that has to show it."""

from __future__ import annotations

import random
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from tests.shop.shop_in_process import InProcessShop

import bank.tables
import catalog.tables
import orders.tables
import payments.tables
from shopkit.schema import outbox, sagas

Row = dict[str, Any]
Change = Callable[[Row, random.Random], Row]
Which = Callable[[Row, Sequence[Row]], bool]  # a row, among all of its table

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
FAR_AHEAD = datetime(2100, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Corruption:
    """`change` gives new values of a row of `table`, or a whole row for `into`."""

    invariant: str
    service: str
    table: sa.Table
    what: str
    change: Change
    which: Which = lambda _, __: True
    into: sa.Table | None = None

    def __str__(self) -> str:
        return f"{self.invariant}-{self.service}.{self.table.name}.{self.what}"


def more(column: str, most: int = 9) -> Change:
    return lambda row, chance: {column: row[column] + chance.randint(1, most)}


def less(column: str, most: int = 9) -> Change:
    return lambda row, chance: {column: row[column] - chance.randint(1, most)}


def to(column: str, value: Any) -> Change:
    return lambda _, __: {column: value}


def another(column: str) -> Change:
    return lambda _, chance: {column: str(uuid.UUID(int=chance.getrandbits(128), version=4))}


def having(column: str, *values: Any) -> Which:
    return lambda row, _: row[column] in values


def _kept(row: Row, _: Sequence[Row]) -> bool:
    return bool(row["status"] == "CHARGED" and not row["cancel_requested"])


def _given_back(row: Row, ledger: Sequence[Row]) -> bool:
    """A charge that was refunded whole: of an order that was cancelled."""
    same = [r for r in ledger if r["payment_intent"] == row["payment_intent"]]
    back = sum(abs(r["amount"]) for r in same if r["kind"] == "refund")
    return bool(row["kind"] == "charge" and back == abs(row["amount"]))


def _at_the_bank(row: Row, ledger: Sequence[Row]) -> bool:
    return bool(row["kind"] == "charge" and not _given_back(row, ledger))


def _charged_twice(row: Row, chance: random.Random) -> Row:
    del row["seq"]
    return {**row, "cause": f"pi_{chance.getrandbits(64):x}"}


def _forgotten(row: Row, _: random.Random) -> Row:
    """Leased for ever, so that no ticker repairs it before the audit looks."""
    due = {"pending_target": "catalog", "pending_type": "CommitStock", "next_attempt_at": LONG_AGO}
    return {**due, "lease_token": "nobody", "lease_until": FAR_AHEAD}


def _never_sent(row: Row, chance: random.Random) -> Row:
    return {
        "id": str(uuid.UUID(int=chance.getrandbits(128), version=4)),
        "kind": "cmd",
        "target": "nobody",
        "type": "CommitStock",
        "version": 1,
        "correlation_id": row["id"],
        "causation_id": row["id"],
        "attempt": 1,
        "traceparent": "",
        "data": "{}",
        "created_at": datetime.now(UTC) - timedelta(seconds=31 + chance.randrange(1000)),
        "lease_token": "nobody",
        "lease_until": FAR_AHEAD,
    }


_O, _C, _P, _B = orders.tables, catalog.tables, payments.tables, bank.tables
COMPLETED, LOST = having("state", "COMPLETED"), having("state", "CANCELLED", "REJECTED")
DONE = having("status", "SUCCEEDED")
BY_ORDERS = having("reason", "ReserveStock", "ReleaseStock", "CommitStock")
CORRUPTIONS: tuple[Corruption, ...] = (
    Corruption(
        "I1", "bank", _B.ledger, "twice", _charged_twice, having("kind", "charge"), _B.ledger
    ),
    Corruption("I2", "orders", _O.orders, "state", to("state", "COMPLETED"), LOST),
    Corruption("I2", "orders", _O.orders, "currency", to("currency", "USD"), COMPLETED),
    Corruption(
        "I2",
        "catalog",
        _C.reservations,
        "status",
        to("status", "RELEASED"),
        having("status", "COMMITTED"),
    ),
    Corruption(
        "I2",
        "catalog",
        _C.stock_movements,
        "on_hand",
        less("on_hand"),
        having("reason", "CommitStock"),
    ),
    Corruption("I2", "payments", _P.payments, "amount", more("amount"), _kept),
    Corruption("I2", "payments", _P.refunds, "amount", less("amount"), having("cause", "MERCHANT")),
    Corruption("I2", "bank", _B.ledger, "amount", more("amount"), _at_the_bank),
    Corruption("I3", "bank", _B.ledger, "amount given back", more("amount"), _given_back),
    Corruption("I3", "orders", _O.orders, "state", to("state", "CANCELLED"), COMPLETED),
    Corruption("I3", "orders", _O.orders, "state to REJECTED", to("state", "REJECTED"), COMPLETED),
    Corruption(
        "I3",
        "catalog",
        _C.reservations,
        "status",
        to("status", "HELD"),
        having("status", "RELEASED"),
    ),
    Corruption(
        "I3",
        "catalog",
        _C.stock_movements,
        "held",
        less("held"),
        having("reason", "ReleaseStock"),
    ),
    Corruption("I4", "catalog", _C.stock, "on_hand", more("on_hand")),
    Corruption("I4", "catalog", _C.stock, "held", more("held"), having("sku", "tea")),
    Corruption("I4", "catalog", _C.stock_movements, "on_hand", more("on_hand")),
    Corruption("I4", "catalog", _C.stock_movements, "held", less("held")),
    Corruption("I5", "payments", _P.ledger, "amount", more("amount")),
    Corruption("I5", "payments", _P.ledger, "currency", to("currency", "USD")),
    Corruption("I5", "bank", _B.ledger, "amount", less("amount")),
    Corruption("I7", "orders", sagas, "next_attempt_at", _forgotten),
    Corruption("I7", "orders", sagas, "never sent", _never_sent, into=outbox),
    Corruption("I8", "orders", _O.orders, "total", more("total")),
    Corruption("I8", "orders", _O.orders, "currency", to("currency", "USD")),
    Corruption("I8", "orders", _O.order_lines, "quantity", more("quantity")),
    Corruption("I8", "orders", _O.order_lines, "unit_price", less("unit_price")),
    Corruption("I9", "catalog", _C.stock_movements, "cause_id", another("cause_id"), BY_ORDERS),
    Corruption("I9", "catalog", _C.reservation_lines, "quantity", more("quantity")),
    Corruption("I9", "payments", _P.ledger, "cause_id", another("cause_id")),
    Corruption("I9", "payments", _P.ledger, "account", to("account", "nowhere")),
    Corruption(
        "I9", "payments", _P.payments, "status", to("status", "VOID"), having("status", "CHARGED")
    ),
    Corruption(
        "I9",
        "payments",
        _P.refunds,
        "status",
        to("status", "FAILED"),
        having("status", "SUCCEEDED"),
    ),
)


async def unguarded(shop: InProcessShop) -> None:
    """Without the triggers that keep a ledger append-only: a disk has no respect for them."""
    for service in shop.wires.up.values():
        async with service.db.transaction("unguard") as tx:
            for row in await tx.all("SELECT name FROM sqlite_master WHERE type = 'trigger'"):
                await tx.execute(f"DROP TRIGGER {row.name}")


@asynccontextmanager
async def spoiled(shop: InProcessShop, how: Corruption, seed: int) -> AsyncIterator[Row]:
    """One row, chosen by the seed, until the block ends; yields it as it was."""
    chance = random.Random(f"{how} {seed}")
    every = await shop.rows(how.service, sa.select(how.table).order_by(*how.table.primary_key))
    rows = [dict(found._mapping) for found in every]
    row = chance.choice([row for row in rows if how.which(row, rows)])
    values = how.change(dict(row), chance)
    if how.into is not None:
        async with _extra(shop, how.service, how.into, values):
            yield row
    else:
        async with _changed(shop, how, row, values):
            yield row


@asynccontextmanager
async def _extra(
    shop: InProcessShop, service: str, table: sa.Table, values: Row
) -> AsyncIterator[None]:
    (column,) = table.primary_key
    async with shop.wires.up[service].db.transaction("corrupt") as tx:
        key = await tx.scalar(sa.insert(table).values(values).returning(column))
    yield
    async with shop.wires.up[service].db.transaction("repair") as tx:
        await tx.execute(sa.delete(table).where(column == key))


@asynccontextmanager
async def _changed(
    shop: InProcessShop, how: Corruption, before: Row, values: Row
) -> AsyncIterator[None]:
    async def put(found: Row, wanted: Row) -> None:
        mine = [column == found[column.name] for column in how.table.primary_key]
        async with shop.wires.up[how.service].db.transaction("corrupt") as tx:
            result = await tx.execute(sa.update(how.table).where(*mine).values(wanted))
        assert result.rowcount == 1

    await put(before, values)
    yield
    await put({**before, **values}, before)
