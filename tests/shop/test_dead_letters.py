"""A message that cannot be handled is kept, shown and, once repaired, handled: nothing is lost."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from tests.shop.auditing_in_process import admin_of, must_be_clean
from tests.shop.shop_in_process import Customer, InProcessShop, open_shop

import catalog.tables
from shop.customer import Credentials, ShopError, Visitor, visiting
from shop.dlq import letters
from shop.testing import RunningShop, running
from shopkit.testing import until

# Nothing is sent again in time: whatever ends well was replayed.
NEVER = 3600

# --- in this process -----------------------------------------------------------------------------


async def held(shop: InProcessShop, change: int) -> None:
    """Somebody counts the shelf wrong, and right again."""
    stock = catalog.tables.stock
    async with shop.wires.up["catalog"].db.transaction("spoil") as tx:
        await tx.execute(sa.update(stock).values(held=stock.c.held + change))


async def poisoned(shop: InProcessShop, customer: Customer) -> str:
    """A paid order that catalog cannot commit: less is held than the order's lines say."""
    await shop.stock("tea", 9)
    order_id = await customer.buy({"tea": 2}, "tok_requires_action")
    order = await customer.reaches(order_id, "PAYMENT_ACTION")
    await held(shop, -1)
    await shop.http.post(order["action_url"], data={"answer": "approve"})
    await customer.reaches(order_id, "CONFIRMED")
    return order_id


async def test_a_poisoned_order_is_completed_by_the_replay_of_its_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with (
        open_shop(tmp_path, monkeypatch, RESEND_FIRST=NEVER, RESEND_MAX=NEVER) as shop,
        admin_of(shop) as ports,
    ):
        anna = shop.customer()
        order_id = await poisoned(shop, anna)

        async def buried() -> bool:
            return len(await letters.kept(ports)) == 1

        await until(buried, 20)
        (one,) = await letters.kept(ports)
        assert (one.service, one.letter.type, one.letter.count) == ("catalog", "CommitStock", 1)
        assert order_id in (await letters.opened(ports, one)).data
        assert "less of tea held" in await letters.replay(ports, one)
        (one,) = await letters.kept(ports)
        assert one.letter.count == 2
        await held(shop, 1)
        assert await letters.replay(ports, one) == ""
        assert (await anna.ends(order_id))["state"] == "COMPLETED"
        assert await letters.kept(ports) == []
        await must_be_clean(shop)


async def test_the_next_order_is_not_held_up_by_a_poisoned_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_shop(tmp_path, monkeypatch, RESEND_FIRST=NEVER, RESEND_MAX=NEVER) as shop:
        poisonous = await poisoned(shop, shop.customer())
        await shop.stock("pot", 1)
        bert = shop.customer()
        assert (await bert.ends(await bert.buy({"pot": 1})))["state"] == "COMPLETED"
        async with admin_of(shop) as ports:
            with pytest.raises(ShopError, match="no dead letter has the id"):
                await letters.find(ports, poisonous)


# --- `shop dlq` as typed, against another process -------------------------------------------------


@pytest.fixture(scope="module")
def open_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningShop]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("RESEND_FIRST", str(NEVER))
        monkeypatch.setenv("RESEND_MAX", str(NEVER))
        with running(tmp_path_factory.mktemp("dlq")) as opened:
            yield opened


def dlq(shop: RunningShop, *arguments: str) -> subprocess.CompletedProcess[str]:
    where = ("--url", shop.url, "--admin-url", f"{shop.admin_url}/{{service}}")
    command = [sys.executable, "-E", "-m", "shop", "dlq", *arguments, *where]
    command += ["--data", str(shop.folder / "data")]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def listed(shop: RunningShop, *more: str) -> list[dict[str, Any]]:
    done = dlq(shop, "list", "-o", "json", *more)
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def state(visitor: Visitor, order_id: str) -> str:
    return str(visitor.call("GET", f"/orders/{order_id}")["state"])


def hold_more(shop: RunningShop, change: int) -> None:
    with closing(sqlite3.connect(shop.folder / "data" / "catalog.db", timeout=10)) as database:
        database.execute("UPDATE stock SET held = held + ? WHERE sku = 'tide-mug'", (change,))
        database.commit()


def waiting_order(visitor: Visitor) -> dict[str, Any]:
    """One that the bank asks its customer about."""
    who = Credentials(f"kim-{uuid.uuid4().hex[:10]}@shop.example", "a long enough password")
    visitor.register(who, "Kim")
    visitor.sign_in(who)
    quote = visitor.call("POST", "/quotes", {"lines": [{"sku": "tide-mug", "quantity": 1}]})
    card = {"token": "tok_requires_action", "label": "asks"}
    method = visitor.call("POST", "/payment-methods", card, key=str(uuid.uuid4()))
    body = {"quote": quote["quote"], "payment_method_id": method["id"]}
    order = visitor.call("POST", "/orders", body, key=quote["quote_id"])
    assert any("ActionRequired" in event for event in visitor.events(order["id"]))
    waits: dict[str, Any] = visitor.call("GET", f"/orders/{order['id']}")
    return waits


async def test_list_show_and_replay_on_the_command_line(open_process: RunningShop) -> None:
    shop = open_process
    nothing = dlq(shop, "list")
    assert (nothing.returncode, nothing.stdout) == (0, "no dead letters\n"), nothing.stderr
    with visiting(shop.url) as visitor:
        order = waiting_order(visitor)
        hold_more(shop, -1)
        await asyncio.to_thread(httpx.post, order["action_url"], data={"answer": "approve"})
        await until(lambda: listed(shop), 60)
        (letter,) = listed(shop)
        id = letter["message_id"]
        shown = dlq(shop, "show", id[:8])
        assert order["id"] in shown.stdout
        assert "ce-type: CommitStock" in shown.stdout
        text = dlq(shop, "list").stdout
        assert (id in text, "catalog CommitStock" in text, "\033" in text) == (True, True, False)
        refused = dlq(shop, "replay", id)
        assert (refused.returncode, "It fails again" in refused.stdout) == (1, True)
        hold_more(shop, +1)
        done = dlq(shop, "replay", "--all", "--service", "catalog")
        assert (done.returncode, "1 handled, 0 not" in done.stdout) == (0, True), done.stdout
        await until(lambda: state(visitor, order["id"]) == "COMPLETED", 30)
    assert listed(shop) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["show", "0000"], "no dead letter has the id 0000"),
        (["replay", "0000"], "no dead letter has the id 0000"),
        (["list", "--service", "bakery"], "there is no service bakery"),
    ],
    ids=["show", "replay", "service"],
)
def test_what_is_not_there_is_one_clear_line(
    open_process: RunningShop, arguments: list[str], said: str
) -> None:
    failed = dlq(open_process, *arguments)
    assert failed.returncode == 1
    assert said in failed.stderr
    assert "Traceback" not in failed.stderr
