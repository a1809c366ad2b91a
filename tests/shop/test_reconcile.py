"""One database is put back to a copy: reconcile names the orders on which the services disagree."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import sqlalchemy as sa
from tests.shop.auditing_in_process import admin_of
from tests.shop.crashing import forgotten, registered
from tests.shop.model_space import Space
from tests.shop.shop_in_process import InProcessShop, open_shop
from tests.shop.test_dead_letters import waiting_order

from shop.customer import visiting
from shop.reconcile.command import reconcile
from shop.reconcile.disagreements import BANK, MONEY, STOCK, Disagreement
from shop.testing import RunningShop, running
from shopkit.schema import inbox, sagas
from shopkit.testing import NewDatabase, ServerProcess, until

# --- the tables are the explored model -----------------------------------------------------------

AT_BANK = {
    "NEW": "requires_confirmation",
    "ACTION": "requires_action",
    "PAID": "succeeded",
    "BAD": "requires_payment_method",
    "GONE": "canceled",
}
ROWS = {"OPEN": {"STARTED", "CREATED", "ACTION"}}


def grouped(pairs: Iterable[tuple[str, str]]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for key, value in pairs:
        found[key].add(value)
    return found


def test_what_counts_as_agreement_is_exactly_what_the_model_can_reach() -> None:
    cores = Space().cores()
    assert grouped((saga, stock.row) for saga, stock, _ in cores) == STOCK
    money = grouped((saga, payment.row) for saga, _, payment in cores)
    # An open row of the model is two in the database, before and after its intent is known.
    wide = {saga: {x for row in rows for x in ROWS.get(row, {row})} for saga, rows in money.items()}
    assert wide == MONEY
    ended = [p for _, _, p in cores if p.row in BANK and p.intent]
    at_bank = grouped((p.row, AT_BANK[p.bank[p.intent - 1]]) for p in ended)
    # The bank may give up an intent by itself, which the model leaves to people.
    assert at_bank == {**BANK, "DECLINED": {"requires_payment_method"}}


# --- a shop that is put back ---------------------------------------------------------------------


async def stopped(shop: InProcessShop) -> None:
    for name in list(shop.wires.up):
        await shop.wires.up.pop(name).stop()


async def orders_of_every_kind(shop: InProcessShop) -> dict[str, str]:
    """Order id -> state at its end; one is left at the customer's bank."""
    placed = {}
    for sku, card in (("tea", "tok_ok"), ("tea", "tok_declined"), ("pot", "tok_ok")):
        anna = await registered(shop)
        order = await anna.ends(await anna.buy({sku: 1}, card))
        placed[order["id"]] = order["state"]
    anna = await registered(shop)
    order = await anna.buy({"tea": 1}, "tok_requires_action")
    placed[order] = (await anna.reaches(order, "PAYMENT_ACTION"))["state"]
    return placed


async def found_by_reconcile(shop: InProcessShop) -> list[Disagreement]:
    async with admin_of(shop) as ports:
        return list(await reconcile(ports))


async def consumed(shop: InProcessShop) -> list[Any]:
    """All that handling a message, publishing one or moving a saga would change."""
    rows: list[Any] = [shop.broker.waiting()]
    for name in shop.wires.up:
        rows.append(await shop.rows(name, sa.select(inbox).order_by(inbox.c.message_id)))
        moved = sa.select(sagas.c.id, sagas.c.attempt).where(sagas.c.version > 1)
        rows.append(await shop.rows(name, moved.order_by(sagas.c.id)))
    return rows


def put_back(folder: Path, copy: Path, name: str) -> None:
    for old in folder.glob(f"{name}.db*"):
        old.unlink()
    shutil.copy(copy / f"{name}.db", folder / f"{name}.db")


@pytest.mark.parametrize("name", ["auth", "orders", "catalog", "payments", "bank"])
async def test_exactly_the_orders_after_the_copy_are_named_and_nothing_is_consumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    async with open_shop(tmp_path, monkeypatch) as shop:
        await filled(shop)
        await orders_of_every_kind(shop)
        await stopped(shop)
        shutil.copytree(tmp_path, tmp_path / "copy")
        await shop.start()
        after = await orders_of_every_kind(shop)
        await stopped(shop)
        put_back(tmp_path, tmp_path / "copy", name)
        await named_and_left_alone(shop, name, concerned(after, name))


def concerned(after: Mapping[str, str], name: str) -> set[str]:
    """A rejected order never came to payments or the bank."""
    if name in ("payments", "bank"):
        return {id for id, state in after.items() if state != "REJECTED"}
    return set(after)


async def filled(shop: InProcessShop) -> None:
    await shop.stock("tea", 50)
    await shop.stock("pot", 0)


async def named_and_left_alone(shop: InProcessShop, name: str, orders: set[str]) -> None:
    shop.consumers = False
    await shop.start()
    was = await consumed(shop)
    found = await found_by_reconcile(shop)
    assert {one.order_id for one in found} == orders
    assert all(name in one.between and one.detail and one.advice for one in found)
    newcomer = await (await registered(shop)).buy({"tea": 1})
    assert newcomer not in {one.order_id for one in await found_by_reconcile(shop)}
    assert await consumed(shop) == was


async def test_on_postgresql_as_well(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    new_postgres: NewDatabase,
    postgres_server: ServerProcess,
) -> None:
    url = await new_postgres()
    async with open_shop(tmp_path, monkeypatch) as shop:
        await stopped(shop)
        shop.databases["orders"] = url
        await shop.start()
        await filled(shop)
        await orders_of_every_kind(shop)
        await stopped(shop)
        name = url.rsplit("/", 1)[-1]
        await administered(postgres_server, f"CREATE DATABASE {name}_copy TEMPLATE {name}")
        await shop.start()
        after = await orders_of_every_kind(shop)
        await stopped(shop)
        await administered(postgres_server, f"DROP DATABASE {name}")
        await administered(postgres_server, f"ALTER DATABASE {name}_copy RENAME TO {name}")
        await named_and_left_alone(shop, "orders", set(after))


async def administered(server: ServerProcess, statement: str) -> None:
    connection = await asyncpg.connect(
        host="127.0.0.1", port=server.port, user="postgres", database="postgres"
    )
    await connection.execute(statement)
    await connection.close()


async def test_orders_that_are_under_way_are_no_disagreement(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever was lost on its way, in every state that an order can be stopped in."""
    async with open_shop(tmp_path, monkeypatch) as shop:
        await filled(shop)
        for lost in ("ReserveStock", "StockReserved", "ChargePayment", "Charged", "CommitStock"):
            shop.lose(lost)
            await (await registered(shop)).buy({"tea": 1})
            assert await found_by_reconcile(shop) == []


async def test_an_account_that_was_forgotten_and_comes_back_with_the_copy_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_shop(tmp_path, monkeypatch) as shop:
        await filled(shop)
        who = await registered(shop)
        await who.ends(await who.buy({"tea": 1}))
        await stopped(shop)
        shutil.copytree(tmp_path, tmp_path / "copy")
        await shop.start()
        await shop.called("DELETE", "/api/v1/users/me", None, who.headers)
        await until(lambda: forgotten(shop, who.id), 30)
        assert await found_by_reconcile(shop) == []
        await stopped(shop)
        put_back(tmp_path, tmp_path / "copy", "auth")
        shop.consumers = False
        await shop.start()
        (found,) = await found_by_reconcile(shop)
        assert (who.id in found.detail, found.advice) == (True, "delete the account again")


# --- `shop reconcile` as typed -------------------------------------------------------------------


def test_the_command_names_them_with_what_to_do(tmp_path: Path) -> None:
    with running(tmp_path) as shop:
        assert shop.end(signal.SIGINT) == 0
        shutil.copytree(tmp_path / "data", tmp_path / "copy")
        shop.start()
        with visiting(shop.url) as visitor:
            order = waiting_order(visitor)["id"]
        agreed = reconciled(shop)
        assert (agreed.returncode, agreed.stdout) == (0, "all agree\n"), agreed.stderr
        assert "orders handles messages" in agreed.stderr
        assert shop.end(signal.SIGINT) == 0
        put_back(tmp_path / "data", tmp_path / "copy", "payments")
        shop.start("--consumers", "off")
        refused = reconciled(shop, "-o", "json")
        assert (refused.returncode, refused.stderr) == (3, "")
        found = json.loads(refused.stdout)
        assert {one["order_id"] for one in found} == {order}
        assert "cancel it at the bank, before the customer pays" in [x["advice"] for x in found]
        assert f"order {order}" in reconciled(shop).stdout


def reconciled(shop: RunningShop, *more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-E", "-m", "shop", "reconcile", "--url", shop.url]
    command += ["--admin-url", f"{shop.admin_url}/{{service}}"]
    command += ["--data", str(shop.folder / "data"), *more]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)
