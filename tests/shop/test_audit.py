"""The auditor finds what is wrong, and nothing where all is well."""

from __future__ import annotations

import json
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
import sqlalchemy as sa
from tests.shop import crashing
from tests.shop.auditing_in_process import admin_of, must_be_clean, verdict_on
from tests.shop.corruptions import CORRUPTIONS, Corruption, spoiled, unguarded
from tests.shop.crashing import JOURNEYS, SturdyShop, open_sturdy_shop

import orders.tables
from shop.audit import record, scan
from shop.audit.auditing import Scope
from shop.customer import ShopError
from shopkit.schema import sagas
from shopkit.testing import until

pytestmark = pytest.mark.asyncio(loop_scope="module")

NOW = Scope(settle=0)
SEEDS = [pytest.param(seed, marks=pytest.mark.long if seed > 1 else ()) for seed in range(20)]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shop(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SturdyShop]:
    """At rest, after orders of every kind."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        async with open_sturdy_shop(tmp_path_factory.mktemp("audit"), monkeypatch) as shop:
            for way in JOURNEYS:
                await way(shop)
            await must_be_clean(shop)
            await unguarded(shop)
            yield shop


async def test_a_shop_at_rest_is_clean(shop: SturdyShop) -> None:
    verdict = await must_be_clean(shop)
    assert verdict.orders >= len(JOURNEYS)
    assert verdict.checked == ["I1", "I2", "I3", "I4", "I5", "I7", "I8", "I9"]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("how", CORRUPTIONS, ids=str)
async def test_one_spoiled_row_is_found(shop: SturdyShop, how: Corruption, seed: int) -> None:
    async with spoiled(shop, how, seed) as row:
        verdict = await verdict_on(shop, NOW)
    assert how.invariant in {violation.invariant for violation in verdict.violations}, row
    assert not (await verdict_on(shop, NOW)).violations, "the row is as it was"


async def test_every_invariant_of_the_rows_has_a_corruption() -> None:
    covered = {how.invariant for how in CORRUPTIONS}
    assert covered == {"I1", "I2", "I3", "I4", "I5", "I7", "I8", "I9"}


async def test_the_gauge_of_a_service_counts_what_its_cheap_checks_find(shop: SturdyShop) -> None:
    (how,) = [how for how in CORRUPTIONS if str(how) == "I4-catalog.stock.on_hand"]
    registry = shop.wires.up["catalog"].metrics.registry
    labels = {"invariant": "I4", "service": "catalog"}
    # Its last look may have been at a row that another test had spoiled.
    gauge = "shop_invariant_violations"
    await until(lambda: registry.get_sample_value(gauge, labels) == 0, 30)
    async with spoiled(shop, how, 0):
        await shop.kill("catalog")
        await shop.start("catalog")
        registry = shop.wires.up["catalog"].metrics.registry
        await until(lambda: registry.get_sample_value(gauge, labels) == 1)


# --- rest ----------------------------------------------------------------------------------------


async def test_a_shop_that_does_not_come_to_rest_is_not_clean_and_says_which_saga(
    shop: SturdyShop,
) -> None:
    customer = shop.customer()
    order_id = await customer.buy({"tea": 1}, "tok_requires_action")
    await customer.reaches(order_id, "PAYMENT_ACTION")
    verdict = await verdict_on(shop, Scope(settle=0.3))
    assert not verdict.clean
    assert f"order {order_id} is PAYMENT_ACTION, waits for payments" in "".join(verdict.unsettled)
    assert "I2" not in verdict.checked
    await crashing.cancel(shop, customer, order_id)
    await must_be_clean(shop)


async def test_an_order_that_no_saga_moves_is_not_at_rest(shop: SturdyShop) -> None:
    stuck = Corruption(
        "", "orders", orders.tables.orders, "open", lambda _, __: {"state": "CONFIRMED"}
    )
    async with spoiled(shop, stuck, 1) as row:
        verdict = await verdict_on(shop, NOW)
    assert any(row["id"] in work for work in verdict.unsettled)


async def test_an_open_refund_is_not_rest(shop: SturdyShop) -> None:
    """The worker's lease keeps it open while the auditor looks."""
    pending = {"status": "PENDING", "next_attempt_at": None}
    (how,) = [how for how in CORRUPTIONS if str(how) == "I9-payments.refunds.status"]
    how = Corruption("", "payments", how.table, "open", lambda _, __: dict(pending))
    async with spoiled(shop, how, 0):
        verdict = await verdict_on(shop, NOW)
    assert any("1 refunds" in work for work in verdict.unsettled)


async def test_the_saga_and_its_order_agree_about_rest(shop: SturdyShop) -> None:
    placed = await shop.rows("orders", sa.select(orders.tables.orders))
    run = await shop.rows("orders", sa.select(sagas))
    assert {row.id: row.state for row in placed} == {row.id: row.state for row in run}


# --- who may look --------------------------------------------------------------------------------


@pytest.mark.parametrize("scopes", ["", "customer", "admin"])
async def test_only_ops_may_look(shop: SturdyShop, scopes: str) -> None:
    async with admin_of(shop, scopes) as admin:
        for service, path in (
            ("orders", "/internal/audit"),
            ("catalog", "/internal/audit/facts"),
            ("payments", "/internal/ledger"),
        ):
            with pytest.raises(ShopError, match="403"):
                await admin.get(service, path)


async def test_a_service_that_is_away_is_named(shop: SturdyShop) -> None:
    await shop.kill("bank")
    with pytest.raises(ShopError, match="payments answers 503"):
        await verdict_on(shop, NOW)
    await shop.start("bank")
    await shop.kill("catalog")
    with pytest.raises(ShopError, match="catalog does not answer"):
        await verdict_on(shop, NOW)
    await shop.start("catalog")


# --- I6 ------------------------------------------------------------------------------------------


async def test_promises_that_were_kept_are_fine(shop: SturdyShop, tmp_path: Path) -> None:
    known = await shop.rows("orders", sa.select(orders.tables.orders.c.id))
    lines = [{"key": f"k{n}", "status": 202, "order_id": row.id} for n, row in enumerate(known)]
    lines += [lines[0], {"key": "full", "status": 429, "order_id": None}]
    path = written(tmp_path, *lines)
    with path.open("a") as file:
        file.write('{"key": "cut sho')
    verdict = await verdict_on(shop, Scope(0, path))
    assert (verdict.clean, "I6" in verdict.checked) == (True, True)


@pytest.mark.parametrize("seed", range(3))
async def test_a_promise_that_was_broken_is_found(
    shop: SturdyShop, tmp_path: Path, seed: int
) -> None:
    known = [row.id for row in await shop.rows("orders", sa.select(orders.tables.orders.c.id))]
    lost, kept = random.Random(seed).sample(known, 2)
    gone = lost[:-1] + ("0" if lost[-1] != "0" else "1")
    unknown = {"key": "a", "status": 202, "order_id": gone}
    twice = [{"key": "b", "status": 202, "order_id": id} for id in (kept, lost)]
    verdict = await verdict_on(shop, Scope(0, written(tmp_path, unknown, *twice)))
    assert [(v.invariant, v.subject) for v in verdict.violations] == [
        ("I6", "key a"),
        ("I6", "key b"),
    ]


def written(folder: Path, *lines: object) -> Path:
    path = folder / "record.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


async def test_a_record_that_is_none_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "record.jsonl"
    path.write_text("nonsense\n{}\n")
    with pytest.raises(ShopError, match=r"record.jsonl:1 is no line"):
        list(record.read(path))


# --- I10 -----------------------------------------------------------------------------------------

CANARY = "correct horse battery staple"
LEAKS = {
    "a card number": "paid with 4242 4242 4242 4242, thanks",
    "a secret that was seeded": f"password={CANARY}",
    "a signed token": "Bearer eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhYmNkZWYifQ." + "x" * 43,
    "a private key": "-----BEGIN EC PRIVATE KEY-----",
}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("what", LEAKS)
async def test_a_leak_is_found_wherever_it_lies(tmp_path: Path, what: str, seed: int) -> None:
    chance = random.Random(f"{what}{seed}")
    noise = chance.randbytes(chance.choice([10, scan._CHUNK - 20, 3 * scan._CHUNK]))
    (tmp_path / "deep").mkdir()
    file = tmp_path / "deep" / "server.log"
    file.write_bytes(noise + b" " + LEAKS[what].encode() + b" " + noise[:99])
    (found,) = scan.scan([tmp_path], [CANARY])
    assert (found.invariant, found.subject, found.detail) == ("I10", str(file), f"contains {what}")


async def test_what_only_looks_like_a_secret_is_none(tmp_path: Path) -> None:
    """Times, ids and numbers with a wrong check digit."""
    harmless = "1764048000000000 4242424242424241 0197f0c2-4242-4242-8242-424242424242 $argon2id$"
    (tmp_path / "a.log").write_text(harmless)
    assert list(scan.scan([tmp_path], [CANARY])) == []


async def test_the_data_of_a_shop_holds_no_secret(shop: SturdyShop) -> None:
    """Its tokens and keys went through every service of this shop."""
    secrets = [shop.keys.bank_secret, shop.keys.webhook_secret, shop.keys.idempotency_key]
    secrets.append(shop.customer().headers["Authorization"].removeprefix("Bearer ")[:40])
    verdict = await verdict_on(shop, Scope(0, scan=[shop.folder], canaries=secrets))
    assert (list(verdict.violations), "I10" in verdict.checked) == ([], True)
