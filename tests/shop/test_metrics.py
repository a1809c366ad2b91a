"""Each metric of the shop moves when what it counts happens, and its labels do not grow with it."""

from __future__ import annotations

import re
import uuid
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime

import httpx
import pytest
import pytest_asyncio
import sqlalchemy as sa
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families
from tests.shop.auditing_in_process import AdminPorts
from tests.shop.shop_in_process import NAMES, keyed
from tests.shop.still_shop import SETTINGS, StillShop

import catalog.tables
from shop.installation import ADMIN_EMAIL
from shop.metrics import families
from shopkit.ids import uuid5
from shopkit.messages import Message
from shopkit.schema import dead_letters
from shopkit.testing import until

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("metrics")]

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
COUNTED = 16.0  # seconds until rows are: outbox and sagas every 5, money and invariants every 15
UNHURRIED = {"PROVIDER_DEADLINE": 30}
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
SKUS = {"tea", "pot"}

LABELS = {
    "http_server_request_duration_seconds": ("method", "route", "status"),
    "http_server_active_requests": (),
    "http_client_request_duration_seconds": ("peer", "operation", "outcome"),
    "shop_message_handle_duration_seconds": ("type", "outcome"),
    "shop_messages_published_total": ("type",),
    "shop_dead_letters": ("type",),
    "shop_dead_letter_max_count": ("type",),
    "shop_outbox_pending": (),
    "shop_outbox_oldest_seconds": (),
    "shop_saga_active": ("state",),
    "shop_saga_oldest_seconds": ("state",),
    "shop_saga_duration_seconds": ("result",),
    "shop_saga_resends_total": ("command",),
    "shop_payments_unresolved": (),
    "shop_refund_stuck": (),
    "shop_breaker_open": ("peer",),
    "shop_idempotent_requests_total": ("outcome",),
    "shop_logins_total": ("outcome",),
    "shop_invariant_violations": ("invariant",),
    "shop_build_info": ("version", "schema"),
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shop(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[StillShop]:
    with pytest.MonkeyPatch.context() as environment:
        for name, value in {**SETTINGS, **UNHURRIED}.items():
            environment.setenv(name, str(value))
        shop = await StillShop.opened(tmp_path_factory.mktemp("metrics"), START)
        yield shop
        await shop.close()


async def samples(shop: StillShop) -> dict[str, float]:
    """`orders shop_saga_active{state="CHARGING"}` and so on -> value, of all services."""
    async with httpx.AsyncClient(transport=AdminPorts(shop)) as http:
        pages = {name: await http.get(f"http://{name}/metrics") for name in NAMES}
    texts = {name: text_string_to_metric_families(page.text) for name, page in pages.items()}
    return {key: value for name, text in texts.items() for key, value in _named(name, text)}


def _named(service: str, text: Iterable[Metric]) -> Iterator[tuple[str, float]]:
    for family in text:
        for sample in family.samples:
            assert sample.labels["service"] == service
            labels = ",".join(f'{k}="{v}"' for k, v in sample.labels.items() if k != "service")
            yield f"{service} {sample.name}" + (f"{{{labels}}}" if labels else ""), sample.value


# --- what may happen, and how it ends ------------------------------------------------------------


async def buy(shop: StillShop, card: str = "tok_ok") -> None:
    """And everything that follows from it at once."""
    await shop.customer().buy({"tea": 1}, card)
    await shop.still()


@asynccontextmanager
async def an_order_is_bought(shop: StillShop) -> AsyncIterator[None]:
    await buy(shop)
    yield


@asynccontextmanager
async def every_message_comes_twice(shop: StillShop) -> AsyncIterator[None]:
    shop.broker.copies = lambda _: 2
    await buy(shop)
    yield


@asynccontextmanager
async def an_order_waits(shop: StillShop) -> AsyncIterator[None]:
    """Until the rows are counted; meanwhile its command is sent once more, in vain."""
    shop.lose("ReserveStock")
    await buy(shop)
    await shop.later(COUNTED)
    yield


@asynccontextmanager
async def the_bank_thinks(shop: StillShop) -> AsyncIterator[None]:
    """About the charge, after it made the intent."""
    made = (await samples(shop)).get(MADE, 0)
    await shop.customer().buy({"tea": 1}, "tok_slow")

    async def is_thinking() -> bool:
        now = await samples(shop)
        return now.get(MADE, 0) > made and now["bank http_server_active_requests"] > 0

    await until(is_thinking, 30)
    yield

    async def has_answered() -> bool:
        shop.clock.advance(0.5)
        return (await samples(shop))["bank http_server_active_requests"] == 0

    await until(has_answered, 30)


@asynccontextmanager
async def the_broker_is_away(shop: StillShop) -> AsyncIterator[None]:
    shop.broker.down = True
    await buy(shop)
    await shop.later(COUNTED)
    yield


@asynccontextmanager
async def the_bank_is_away(shop: StillShop) -> AsyncIterator[None]:
    shop.wires.cut = lambda request: request.url.path.startswith("/v1/")
    await buy(shop)
    for _ in range(10):
        await shop.later(30)
    yield


@asynccontextmanager
async def the_customer_is_asked(shop: StillShop) -> AsyncIterator[None]:
    await buy(shop, "tok_requires_action")
    await shop.later(COUNTED)
    yield


@asynccontextmanager
async def money_cannot_be_given_back_for_an_hour(shop: StillShop) -> AsyncIterator[None]:
    shop.wires.cut = lambda request: request.url.path.startswith("/v1/refunds")
    shop.lose("Charged")
    customer = shop.customer()
    order_id = await customer.buy({"tea": 1})
    await shop.still()
    await customer.cancel(order_id)
    await shop.still()
    for _ in range(7):
        await shop.later(600)
    yield


@asynccontextmanager
async def a_message_is_not_understood(shop: StillShop) -> AsyncIterator[None]:
    """Of a version that nobody knows yet."""
    shop.broker.arrive(stranger())
    await until(lambda: not shop.broker.waiting(), 30)
    await shop.later(COUNTED)
    yield
    async with shop.wires.up["catalog"].db.transaction("forget") as tx:
        await tx.execute(sa.delete(dead_letters))


def stranger() -> Message:
    order_id = "0197f0c2-0000-7000-8000-000000000001"
    return Message(
        id=uuid5(order_id, "stranger"),
        kind="cmd",
        target="catalog",
        type="ReserveStock",
        version=99,
        source="orders",
        time=START,
        correlation_id=order_id,
        causation_id=order_id,
        attempt=1,
        traceparent="",
        data=b"{}",
    )


@asynccontextmanager
async def somebody_counts_the_shelf_wrong(shop: StillShop) -> AsyncIterator[None]:
    await held(shop, 1)
    await shop.later(COUNTED)
    yield
    await held(shop, -1)


async def held(shop: StillShop, change: int) -> None:
    stock = catalog.tables.stock
    wrong = sa.update(stock).where(stock.c.sku == "tea").values(held=stock.c.held + change)
    async with shop.wires.up["catalog"].db.transaction("spoil") as tx:
        await tx.execute(wrong)


@asynccontextmanager
async def requests_are_odd(shop: StillShop) -> AsyncIterator[None]:
    """An order that is not there, a method that nobody knows, a path that nobody has."""
    mine = shop.customer().headers
    await shop.http.get(f"/api/v1/orders/{uuid.uuid4()}", headers=mine)
    await shop.http.request(f"BREW{uuid.uuid4().hex}", "/api/v1/orders")
    await shop.http.get(f"/api/v1/orders/{uuid.uuid4()}/tea", headers=mine)
    yield


@asynccontextmanager
async def a_key_is_used_again(shop: StillShop) -> AsyncIterator[None]:
    headers = keyed(shop.admin())
    for delta in (1, 1, 2):
        change = {"delta": delta, "reason": "received"}
        await shop.http.post("/api/v1/stock/tea/adjust", json=change, headers=headers)
    yield


@asynccontextmanager
async def somebody_tries_passwords(shop: StillShop) -> AsyncIterator[None]:
    """The sixth try of an account is not even looked at."""
    for password in (shop.keys.admin_password, *["a wrong password"] * 6):
        body = {"email": ADMIN_EMAIL, "password": password}
        await shop.http.post("/api/v1/tokens", json=body)
    yield


# --- and what is seen of it ----------------------------------------------------------------------

SERVED = "http_server_request_duration_seconds_count"
CALLED = "http_client_request_duration_seconds_count"
HANDLED, KEYS = "shop_message_handle_duration_seconds_count", "shop_idempotent_requests_total"
MADE = f'bank {SERVED}{{method="POST",route="/v1/payment_intents",status="200"}}'
ORDER = 'method="GET",route="/api/v1/orders/{order_id}",status="404"'
INTENT = 'operation="create_intent",outcome="2xx",peer="bank"'

Happening = Callable[[StillShop], AbstractAsyncContextManager[None]]
# "+ 1": it grows by one. "1" and "> 0": so it is until that is over.
TABLE: dict[Happening, dict[str, str]] = {
    an_order_is_bought: {
        f"payments {CALLED}{{{INTENT}}}": "+ 1",
        f'catalog {HANDLED}{{outcome="ok",type="ReserveStock"}}': "+ 1",
        'orders shop_messages_published_total{type="ReserveStock"}': "+ 1",
        'orders shop_saga_duration_seconds_count{result="COMPLETED"}': "+ 1",
        MADE: "+ 1",
    },
    every_message_comes_twice: {
        f'catalog {HANDLED}{{outcome="ok",type="ReserveStock"}}': "+ 1",
        f'catalog {HANDLED}{{outcome="duplicate",type="ReserveStock"}}': "+ 1",
    },
    an_order_waits: {
        'orders shop_saga_active{state="RESERVING"}': "1",
        'orders shop_saga_oldest_seconds{state="RESERVING"}': "> 0",
        'orders shop_saga_resends_total{command="ReserveStock"}': "+ 1",
    },
    the_bank_thinks: {"bank http_server_active_requests": "1"},
    the_broker_is_away: {
        "orders shop_outbox_pending": "1",
        "orders shop_outbox_oldest_seconds": "> 0",
    },
    the_bank_is_away: {
        'payments shop_breaker_open{peer="bank"}': "1",
    },
    the_customer_is_asked: {"payments shop_payments_unresolved": "1"},
    money_cannot_be_given_back_for_an_hour: {"payments shop_refund_stuck": "1"},
    a_message_is_not_understood: {
        'catalog shop_dead_letters{type="ReserveStock"}': "1",
        'catalog shop_dead_letter_max_count{type="ReserveStock"}': "1",
        f'catalog {HANDLED}{{outcome="failed",type="ReserveStock"}}': "+ 3",
    },
    somebody_counts_the_shelf_wrong: {'catalog shop_invariant_violations{invariant="I4"}': "> 0"},
    requests_are_odd: {
        f"orders {SERVED}{{{ORDER}}}": "+ 1",
        f'orders {SERVED}{{method="_OTHER",route="/api/v1/orders",status="405"}}': "+ 1",
        f'orders {SERVED}{{method="GET",route="none",status="404"}}': "+ 1",
    },
    a_key_is_used_again: {
        f'catalog {KEYS}{{outcome="new"}}': "+ 1",
        f'catalog {KEYS}{{outcome="replay"}}': "+ 1",
        f'catalog {KEYS}{{outcome="conflict"}}': "+ 1",
    },
    somebody_tries_passwords: {
        'auth shop_logins_total{outcome="ok"}': "+ 1",
        'auth shop_logins_total{outcome="refused"}': "+ 5",
        'auth shop_logins_total{outcome="locked"}': "+ 1",
    },
}


async def test_there_are_exactly_these_metrics_with_exactly_these_labels() -> None:
    assert {family.name: family.labels for family in families()} == LABELS


async def test_the_table_moves_every_metric_but_the_version() -> None:
    moved = {re.match(r"\w+ (\w+)", key)[1] for row in TABLE.values() for key in row}  # type: ignore[index]
    names = {name if name in LABELS else name.removesuffix("_count") for name in moved}
    assert names == LABELS.keys() - {"shop_build_info"}


@pytest.mark.parametrize("happening", TABLE, ids=lambda happening: happening.__name__)
async def test_a_metric_moves_when_it_happens_and_a_state_ends_with_it(
    shop: StillShop, happening: Happening
) -> None:
    expected, before = TABLE[happening], await samples(shop)
    async with happening(shop):
        during = await samples(shop)
    assert {key: seen(before, during, key, rule) for key, rule in expected.items()} == expected
    assert ids_in(during) == []
    await at_rest(shop)
    after = await samples(shop)
    states = [key for key, rule in expected.items() if not rule.startswith("+")]
    assert [key for key in states if after.get(key, 0) != 0] == []


def seen(before: dict[str, float], now: dict[str, float], key: str, rule: str) -> str:
    """The rule, if it holds; else what is so instead."""
    value, earlier = now.get(key, 0), before.get(key, 0)
    if rule.startswith("+"):
        return f"+ {value - earlier:g}"
    if rule == "> 0" and value > 0:
        return rule
    return f"{value:g}"


def ids_in(found: dict[str, float]) -> list[str]:
    values = {key: re.findall(r'="([^"]*)"', key) for key in found}
    return [key for key, all in values.items() if SKUS & set(all) or any(map(UUID.search, all))]


async def at_rest(shop: StillShop) -> None:
    """Every fault is over, every order has ended, and the rows are counted again."""
    shop.wires.cut = lambda _: False
    await shop.mend()
    await shop.settle(step=60, seconds=7200)
    await shop.later(COUNTED)


async def test_the_version_and_the_schema_are_labels_of_a_metric(shop: StillShop) -> None:
    found = await samples(shop)
    for name, service in shop.wires.up.items():
        labels = f'schema="{service.schema}",version="{service.version}"'
        assert found[f"{name} shop_build_info{{{labels}}}"] == 1
