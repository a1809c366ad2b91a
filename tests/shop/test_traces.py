"""One checkout is one trace, edge by edge as in `tests/shop/traces`, whatever becomes of it.

The spans leave as in a cluster: OTLP over HTTP, to a collector that decodes them.
"""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from services.kit.tests.collector import Collector, Seen, tree
from tests.shop.processes import NAMES, WITH_DATABASE, Processes
from tests.shop.shop_in_process import Customer
from tests.shop.still_shop import SETTINGS, StillShop
from tests.shop.town import Town, open_broker, open_town

from shop.customer import FINAL
from shop.testing import RunningShop, running
from shopkit.spans import ATTRIBUTES
from shopkit.testing import NewDatabase, until

CASES = sorted((Path(__file__).parent / "traces").glob("*.yaml"))
START = datetime(2026, 3, 1, 12, tzinfo=UTC)
CHECKOUT = "POST /api/v1/orders"
PATIENCE, HOUR = 60.0, 3_600_000
# Nothing is sent twice because the machine is busy.
UNHURRIED = {"PROVIDER_DEADLINE": 60, "PAYMENT_LEASE": 120}
PROMPT = {"OTEL_BSP_SCHEDULE_DELAY": 100, "OTEL_EXPORTER_OTLP_TIMEOUT": 1}


def read(path: Path) -> dict[str, Any]:
    return dict(yaml.safe_load(path.read_text()))


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as collector:
        yield collector


@pytest.fixture
async def shop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, collector: Collector
) -> AsyncIterator[StillShop]:
    there = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint}
    for name, value in {**SETTINGS, **UNHURRIED, **there}.items():
        monkeypatch.setenv(name, str(value))
    shop = await StillShop.opened(tmp_path, START)
    yield shop
    await shop.close()


async def told(shop: StillShop, collector: Collector) -> list[Seen]:
    """Everything, once nothing is under way."""
    for service in shop.wires.up.values():
        await service.spans.close(PATIENCE)
    return collector.spans


def checkout(spans: list[Seen]) -> list[Seen]:
    """The spans of the one trace that began with the order."""
    (began,) = (span for span in spans if span.name == CHECKOUT)
    return [span for span in spans if span.trace == began.trace]


# --- what may happen to an order -----------------------------------------------------------------


async def heal(shop: StillShop, _: Customer, __: str) -> None:
    shop.good_network()


async def wait(shop: StillShop, _: Customer, __: str) -> None:
    """Until a command without an answer is sent again, once."""
    await shop.later(4)


async def cancel(_: StillShop, customer: Customer, order_id: str) -> None:
    assert (await customer.cancel(order_id)).status_code == 202


async def deadline(shop: StillShop, _: Customer, __: str) -> None:
    await shop.later(900)


Step = Callable[[StillShop, Customer, str], Awaitable[None]]
STEPS: dict[str, Step] = {step.__name__: step for step in (heal, wait, cancel, deadline)}


async def carried_out(
    shop: StillShop,
    sku: str = "tea",
    quantity: int = 1,
    card: str = "tok_ok",
    lost: tuple[str, ...] = (),
    then: tuple[str, ...] = (),
) -> None:
    customer = shop.customer()
    shop.lose(*lost)
    order_id = await customer.buy({sku: quantity}, card)
    await shop.still()
    for step in then:
        await STEPS[step](shop, customer, order_id)
        await shop.still()
    assert (await customer.order(order_id))["state"] in FINAL


# --- the traces ----------------------------------------------------------------------------------


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
async def test_an_order_is_one_trace_with_exactly_these_edges(
    shop: StillShop, collector: Collector, path: Path
) -> None:
    case = read(path)
    await carried_out(shop, **case["given"])
    spans = await told(shop, collector)
    mine = checkout(spans)
    assert tree(mine) == case["expect"]
    # And nothing of it is anywhere else: other traces are requests of the customer, one span each.
    others = [span for span in spans if span not in mine]
    assert {(span.kind, span.parent) for span in others} == {("server", "")}
    assert len({span.trace for span in others}) == len(others)


async def test_the_request_that_cancels_is_linked_to_the_trace_of_the_order(
    shop: StillShop, collector: Collector
) -> None:
    await carried_out(shop, lost=("Charged",), then=("cancel",))
    spans = await told(shop, collector)
    (asked,) = (s for s in spans if s.name == "POST /api/v1/orders/{order_id}/cancel")
    (trace,) = {span.trace for span in checkout(spans)}
    assert asked.trace != trace
    assert asked.links == (trace,)


async def test_a_command_that_is_sent_again_says_which_attempt_it_is(
    shop: StillShop, collector: Collector
) -> None:
    await carried_out(shop, lost=("StockReserved",), then=("heal", "wait"))
    mine = checkout(await told(shop, collector))
    sent = [span for span in mine if span.name == "send ReserveStock"]
    handled = [span for span in mine if span.name == "process ReserveStock"]
    assert {span.attributes["attempt"] for span in sent} == {1, 2}
    assert len({span.parent for span in sent}) == 1
    assert {s.attributes["attempt"]: s.attributes["outcome"] for s in handled} == {
        1: "ok",
        2: "duplicate",
    }


async def test_spans_say_nothing_that_is_not_on_the_list(
    shop: StillShop, collector: Collector
) -> None:
    await carried_out(shop)
    spans = await told(shop, collector)
    assert {name for span in spans for name in span.attributes} <= ATTRIBUTES
    secrets = (shop.keys.bank_secret, shop.keys.webhook_secret, "tok_ok", "Bearer", "http://")
    bodies = b"".join(collector.bodies)
    assert [secret for secret in secrets if secret.encode() in bodies] == []


# --- as it really runs ---------------------------------------------------------------------------


async def test_six_processes_with_postgresql_and_nats_make_the_same_trace(
    tmp_path: Path, new_postgres: NewDatabase, collector: Collector
) -> None:
    """And each sends its last spans before it ends."""
    urls = {name: await new_postgres() for name in WITH_DATABASE}
    leases = {"RELAY_LEASE": 60, "ACK_WAIT": 60, "RESEND_FIRST": 60}
    calm = {**leases, "WEBHOOK_SPREAD": 0, "DRAIN_GRACE": 0, **UNHURRIED}
    there = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint, "OTEL_BSP_SCHEDULE_DELAY": HOUR}
    with open_broker(tmp_path) as nats:
        shop = Processes(tmp_path, urls, nats.port, {**calm, **there})
        async with open_town(shop) as town:
            order_id = await town.buy(str(uuid.uuid4()), "tea", "tok_ok")
            assert await town.ends(order_id) == "COMPLETED"
            await until(lambda: both_webhooks_came(town), PATIENCE, 0.1)
            assert not [span for span in collector.spans if span.name == CHECKOUT]
            assert await asyncio.gather(*map(shop.stopped, NAMES)) == [0] * len(NAMES)
    mine = checkout(collector.spans)
    assert tree(mine) == read(CASES[0].with_name("completed.yaml"))["expect"]


async def both_webhooks_came(town: Town) -> bool:
    metrics = (await town.http.get(f"{town.shop.admin_url('payments')}/metrics")).text
    name = "http_server_request_duration_seconds_count"
    labels = '{method="POST",route="/api/v1/webhooks/bank",service="payments",status="200"}'
    return f"{name}{labels} 2.0" in metrics


def test_the_shop_works_and_says_it_once_while_the_collector_is_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Collector() as collector:
        pass
    for name, value in {**PROMPT, "OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint}.items():
        monkeypatch.setenv(name, str(value))
    with running(tmp_path) as shop:
        for _ in range(2):
            buy(shop)
            wait_until(lambda: "traces_not_sent" in said_by(shop, "orders"))
        lines = [line["service"] for line in said(shop) if line["event"] == "traces_not_sent"]
        assert len(lines) == len(set(lines))
        assert [line for line in said(shop) if line["level"] == "error"] == []
        with collector:
            buy(shop)
            wait_until(lambda: any(span.name == CHECKOUT for span in collector.spans))
        assert shop.end(signal.SIGINT) == 0


def buy(shop: RunningShop) -> None:
    command = [sys.executable, "-E", "-m", "shop", "order", "--url", shop.url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0, done.stderr


def said(shop: RunningShop) -> list[dict[str, Any]]:
    lines = shop.output().splitlines()
    return [json.loads(line) for line in lines if line.startswith("{")]


def said_by(shop: RunningShop, service: str) -> list[str]:
    return [line["event"] for line in said(shop) if line.get("service") == service]


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "not reached"
        time.sleep(0.1)
