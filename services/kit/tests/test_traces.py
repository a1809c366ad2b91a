"""What leaves a service as spans: when, where to, and what never does."""

import asyncio
import socket
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator

import httpx
import orjson
import pytest
from fastapi import APIRouter, Request
from pydantic import ValidationError
from services.kit.tests.collector import Collector, Seen, tree
from services.kit.tests.conftest import Embedded

from shopkit import traces
from shopkit.app import Service, World
from shopkit.settings import Settings
from shopkit.spans import Spans
from shopkit.testing import client_of, until

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
UNWANTED = PARENT[:-2] + "00"
QUEUE, BATCH = 64, 16

router = APIRouter()


@router.post("/things/{name}")
async def thing(name: str) -> dict[str, str]:
    return {"trace": traces.current()}


@router.get("/calls")
async def calls(request: Request) -> int:
    answer = await request.app.state.peer.call("GET", "/secret-path?key=hunter2", operation="look")
    return int(answer.status_code)


@router.get("/bug")
async def bug() -> None:
    raise RuntimeError("hunter2")


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as collector:
        yield collector


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", str(QUEUE))
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", str(BATCH))
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.2")


@pytest.fixture
async def service(embedded: Embedded, collector: Collector) -> AsyncIterator[Service]:
    there = {"otel_exporter_otlp_endpoint": f"{collector.endpoint}/"}
    settings = (await embedded.settings("toy")).model_copy(update=there)
    peer = httpx.MockTransport(lambda _: httpx.Response(503))
    service = Service("toy", settings, World(http=peer), version="7")
    service.app.state.peer = service.client("peer", "http://peer")
    service.routes(router)
    await service.start()
    yield service
    await service.stop()


async def told(service: Service, collector: Collector) -> list[Seen]:
    await service.spans.close(10)
    return collector.spans


async def test_a_request_is_a_span_below_its_caller_with_the_route_as_its_name(
    service: Service, collector: Collector
) -> None:
    async with client_of(service) as http:
        answer = await http.post("/things/x", headers={"traceparent": PARENT})
    (span,) = await told(service, collector)
    assert (span.service, span.name, span.kind) == ("toy", "POST /things/{name}", "server")
    assert (span.trace, span.parent) == tuple(PARENT.split("-")[1:3])
    assert answer.json()["trace"] == f"00-{span.trace}-{span.id}-01"
    assert span.attributes == {
        "http.request.method": "POST",
        "http.route": "/things/{name}",
        "http.response.status_code": 200,
    }


async def test_a_call_that_fails_is_a_failed_span_below_the_request(
    service: Service, collector: Collector
) -> None:
    async with client_of(service) as http:
        await http.get("/calls")
    spans = await told(service, collector)
    assert tree(spans) == "toy GET /calls\n  toy peer look, failed\n"
    (call,) = (span for span in spans if span.kind == "client")
    assert call.attributes == {
        "http.request.method": "GET",
        "http.response.status_code": 503,
        "peer.service": "peer",
        "error.type": "503",
    }


async def test_what_a_client_sends_and_what_an_error_says_stays_here(
    service: Service, collector: Collector
) -> None:
    async with client_of(service, Authorization="Bearer hunter2", Cookie="a=hunter2") as http:
        await http.post("/things/hunter2?password=hunter2", json={"password": "hunter2"})
        await http.request("HUNTER2", "/hunter2")
        await http.get("/calls")
        await http.get("/bug")
    spans = await told(service, collector)
    assert {"POST /things/{name}", "_OTHER", "GET /bug"} <= {span.name for span in spans}
    assert b"hunter2" not in b"".join(collector.bodies).lower()


async def test_probes_are_no_spans(service: Service, collector: Collector) -> None:
    async with client_of(service) as http:
        for path in ("/livez", "/readyz", "/startupz"):
            await http.get(path)
    assert await told(service, collector) == []


async def test_a_trace_that_nobody_wants_recorded_is_carried_on_and_not_sent(
    service: Service, collector: Collector
) -> None:
    async with client_of(service) as http:
        answer = await http.post("/things/x", headers={"traceparent": UNWANTED})
    inside = answer.json()["trace"]
    assert (inside.split("-")[1], inside[-2:]) == (UNWANTED.split("-")[1], "00")
    assert await told(service, collector) == []


@pytest.mark.parametrize(
    ("given", "sampled"), [(PARENT, "01"), (UNWANTED, "00"), ("junk", "01"), ("", "01")]
)
async def test_without_a_collector_the_context_is_carried_on_all_the_same(
    embedded: Embedded, given: str, sampled: str
) -> None:
    service = Service("toy", await embedded.settings("toy"), version="7")
    service.routes(router)
    async with client_of(service) as http:
        inside = (await http.post("/things/x", headers={"traceparent": given})).json()["trace"]
    assert traces.is_valid(inside)
    assert inside[-2:] == sampled
    assert (traces.trace_id(inside) == traces.trace_id(PARENT)) == (len(given) > 4)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "00",
        PARENT.upper(),
        PARENT.replace("00-", "ff-", 1),
        f"{PARENT}-more",
        f"00-{'0' * 32}-b7ad6b7169203331-01",
        f"00-0af7651916cd43dd8448eb211c80319c-{'0' * 16}-01",
        f"{PARENT}\n",
    ],
)
def test_what_the_standard_does_not_allow_is_no_context(text: str) -> None:
    assert not traces.is_valid(text)


def test_a_later_version_of_the_standard_may_say_more() -> None:
    assert traces.is_valid(PARENT.replace("00-", "01-", 1) + "-more")


# --- a collector that is away --------------------------------------------------------------------


def warnings(output: str) -> list[str]:
    lines = (orjson.loads(line) for line in output.splitlines())
    return [line["event"] for line in lines if line["level"] in ("warning", "error")]


async def test_an_absent_collector_is_said_once_and_costs_no_more_memory_than_the_queue(
    service: Service, collector: Collector, capsys: pytest.CaptureFixture[str]
) -> None:
    collector.status = 500
    for number in range(20 * QUEUE):
        with service.spans.span("internal", f"number {number}"):
            pass
        if number % QUEUE == 0:
            await asyncio.sleep(0.06)  # more than one batch is refused
    collector.status = 200
    with service.spans.span("internal", "the last"):
        pass
    arrived = await told(service, collector)
    assert len(arrived) <= QUEUE + BATCH
    assert arrived[-1].name == "the last"
    assert warnings(capsys.readouterr().out) == ["traces_not_sent"]


async def test_an_absent_collector_is_said_again_after_it_was_back(
    service: Service, collector: Collector, capsys: pytest.CaptureFixture[str]
) -> None:
    said: list[str] = []

    def works() -> None:
        with service.spans.span("internal", "work"):
            said.extend(warnings(capsys.readouterr().out))

    def is_said(times: int) -> bool:
        works()
        return said == ["traces_not_sent"] * times

    def is_back() -> bool:
        works()
        return bool(collector.bodies)

    collector.status = 500
    await until(lambda: is_said(1))
    collector.status = 200
    await until(is_back)
    collector.status = 500
    await until(lambda: is_said(2))


async def test_the_end_waits_for_a_silent_collector_no_longer_than_it_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "30")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        spans = Spans("toy", "7", f"http://127.0.0.1:{silent.getsockname()[1]}")
        spans.open()
        with spans.span("internal", "work"):
            pass
        started = time.monotonic()
        await spans.close(0.3)
        assert time.monotonic() - started < 3
    with spans.span("internal", "after the end"):
        assert traces.is_valid(traces.current())
    # The collector is gone, so nothing of it may come into the output of the next test.
    await until(lambda: "traces" not in {thread.name for thread in threading.enumerate()}, 30)


def test_nothing_of_it_is_even_loaded_where_it_is_not_wanted() -> None:
    program = """if True:
        import asyncio, sys
        from shopkit.app import Service
        from shopkit.settings import Settings
        service = Service("toy", Settings(otel_exporter_otlp_endpoint=""), version="1")
        asyncio.run(service.start())
        sys.exit("opentelemetry.sdk" in sys.modules)
    """
    assert subprocess.run([sys.executable, "-c", program], timeout=60, check=False).returncode == 0


def test_an_endpoint_without_a_scheme_is_refused() -> None:
    with pytest.raises(ValidationError, match="otel_exporter_otlp_endpoint"):
        Settings(otel_exporter_otlp_endpoint="collector:4318")


async def test_a_service_can_be_started_again(service: Service, collector: Collector) -> None:
    await service.stop()
    await service.start()
    async with client_of(service) as http:
        await http.post("/things/x")
    await until(lambda: collector.spans)
