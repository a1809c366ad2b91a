"""What happens to every request."""

import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import httpx
import pytest
from fastapi import APIRouter
from pydantic import BaseModel, SecretStr
from services.kit.tests.conftest import Embedded, Real
from services.kit.tests.toy import buyer

from shopkit import pages, traces
from shopkit.app import Service, World
from shopkit.breaker import Breaker
from shopkit.client import BreakerOpen, Unreachable
from shopkit.clock import ManualClock
from shopkit.compose import ByPath, Under
from shopkit.errors import Problem
from shopkit.pages import decode_cursor, encode_cursor
from shopkit.testing import client_of

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

router = APIRouter()


class Login(BaseModel):
    email: str
    password: SecretStr
    age: int


@router.post("/logins")
async def log_in(body: Login) -> dict[str, str]:
    return {"email": body.email}


@router.get("/things/{name}")
async def thing(name: str) -> dict[str, str]:
    return {"name": name, "trace": traces.current()}


@router.get("/bug")
async def bug() -> None:
    raise RuntimeError("SELECT secret FROM users")


@router.get("/pages")
async def page(cursor: pages.Cursor = None, limit: pages.Limit = 2) -> pages.Page[int]:
    start = int(decode_cursor(cursor)[0]) if cursor else 0
    return pages.Page(
        items=list(range(start, start + limit)), next_cursor=encode_cursor(start + limit)
    )


@pytest.fixture
async def service(embedded: Embedded) -> Service:
    service = Service("toy", await embedded.settings("toy"), version="1")
    service.routes(router)
    return service


@pytest.fixture
async def http(service: Service) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(service) as client:
        yield client


async def test_a_validation_error_names_the_field_and_does_not_repeat_the_value(
    http: httpx.AsyncClient,
) -> None:
    answer = await http.post("/logins", json={"email": "a@b", "password": "hunter2", "age": "x"})
    assert answer.status_code == 422
    problem = answer.json()
    assert (problem["type"], problem["status"]) == ("urn:shop:problem:validation", 422)
    assert [error["field"] for error in problem["errors"]] == ["body.age"]
    assert "hunter2" not in answer.text
    assert len(problem["trace_id"]) == 32


async def test_an_unknown_path_is_a_problem(http: httpx.AsyncClient) -> None:
    answer = await http.get("/nowhere")
    assert (answer.status_code, answer.json()["type"]) == (404, "urn:shop:problem:not-found")


async def test_a_wrong_method_is_a_problem(http: httpx.AsyncClient) -> None:
    answer = await http.get("/logins")
    assert answer.status_code == 405
    assert answer.json()["type"] == "urn:shop:problem:method-not-allowed"


async def test_a_bug_answers_500_and_tells_the_client_nothing(
    http: httpx.AsyncClient, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = await http.get("/bug")
    assert (answer.status_code, answer.json()["type"]) == (500, "urn:shop:problem:internal")
    assert "SELECT" not in answer.text
    assert "RuntimeError" in capsys.readouterr().out


async def test_a_request_goes_on_in_the_callers_trace(http: httpx.AsyncClient) -> None:
    inside = (await http.get("/things/x", headers={"traceparent": PARENT})).json()["trace"]
    assert inside.split("-")[1] == PARENT.split("-")[1]
    assert inside.split("-")[2] != PARENT.split("-")[2]


@pytest.mark.parametrize("parent", ["", "junk", PARENT.upper(), "00-" + "0" * 32 + "-1-01"])
async def test_a_malformed_trace_starts_a_new_one(http: httpx.AsyncClient, parent: str) -> None:
    inside = (await http.get("/things/x", headers={"traceparent": parent})).json()["trace"]
    assert traces.is_valid(inside)
    assert inside.split("-")[1] != PARENT.split("-")[1]


async def test_requests_are_measured_by_route_and_not_by_path(
    http: httpx.AsyncClient, service: Service
) -> None:
    for path in ("/things/a", "/things/b", "/nowhere"):
        await http.get(path)
    async with client_of(service.admin) as admin:
        text = (await admin.get("/metrics")).text
    name = "http_server_request_duration_seconds_count"
    assert f'{name}{{method="GET",route="/things/{{name}}",service="toy",status="200"}} 2.0' in text
    assert f'{name}{{method="GET",route="none",service="toy",status="404"}} 1.0' in text
    assert 'shop_build_info{schema="0",service="toy",version="1"} 1.0' in text


async def test_pages_follow_each_other(http: httpx.AsyncClient) -> None:
    first = (await http.get("/pages")).json()
    second = (await http.get("/pages", params={"cursor": first["next_cursor"]})).json()
    assert first["items"] + second["items"] == [0, 1, 2, 3]


@pytest.mark.parametrize("query", [{"cursor": "%%%"}, {"cursor": "e30"}, {"limit": 101}])
async def test_a_wrong_page_is_refused(http: httpx.AsyncClient, query: dict[str, str]) -> None:
    assert (await http.get("/pages", params=query)).status_code == 422


def test_a_cursor_comes_back_as_it_was() -> None:
    assert decode_cursor(encode_cursor("tea", 7)) == ["tea", 7]
    with pytest.raises(Problem):
        decode_cursor("no cursor of ours")


# ---- several services on one port -------------------------------------------------------------


def named(name: str, settings: object, *paths: str) -> Service:
    service = Service(name, settings, version="1", paths=paths)  # type: ignore[arg-type]
    routes = APIRouter()

    @routes.get("/{path:path}")
    async def who(path: str) -> dict[str, str]:
        return {"service": name, "path": path}

    service.routes(routes)
    return service


async def test_the_longest_path_decides_who_answers(embedded: Embedded) -> None:
    settings = await embedded.settings("any")
    front = named("front", settings, "/")
    orders = named("orders", settings, "/api/v1/orders")
    asked = {
        "/api/v1/orders": "orders",
        "/api/v1/orders/7": "orders",
        "/api/v1/ordersX": "front",
        "/x": "front",
    }
    async with client_of(ByPath([front, orders])) as http:  # type: ignore[arg-type]
        answers = {path: (await http.get(path)).json()["service"] for path in asked}
    assert answers == asked


async def test_admin_apps_live_under_their_names(embedded: Embedded) -> None:
    service = named("orders", await embedded.settings("any"), "/")
    async with client_of(Under({"orders": service.admin})) as http:  # type: ignore[arg-type]
        assert 'service="orders"' in (await http.get("/orders/metrics")).text
        assert (await http.get("/metrics")).status_code == 404


# ---- calls to others --------------------------------------------------------------------------


class Peer(httpx.AsyncBaseTransport):
    """Answers what the test says; an exception is a broken connection."""

    def __init__(self, *answers: int | Exception) -> None:
        self.answers, self.requests = list(answers), list[httpx.Request]()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.pop(0) if self.answers else 200
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer)


LOST = httpx.ReadError("the connection broke")


async def test_an_idempotent_call_is_tried_again(embedded: Embedded) -> None:
    peer = Peer(LOST, LOST, 200)
    client = Service("toy", await embedded.settings("toy"), World(http=peer)).client(
        "p", "http://p"
    )
    answer = await client.call("POST", "/x", operation="x", idempotent=True, json={"a": 1})
    assert (answer.status_code, len(peer.requests)) == (200, 3)
    assert traces.is_valid(peer.requests[0].headers["traceparent"])


async def test_any_other_call_is_made_once_and_its_outcome_is_unknown(embedded: Embedded) -> None:
    peer = Peer(LOST)
    client = Service("toy", await embedded.settings("toy"), World(http=peer)).client(
        "p", "http://p"
    )
    with pytest.raises(Unreachable):
        await client.call("POST", "/x", operation="x")
    assert len(peer.requests) == 1


async def test_a_peer_that_keeps_failing_is_left_alone(embedded: Embedded) -> None:
    clock, peer = ManualClock(datetime(2026, 1, 1, tzinfo=UTC)), Peer(*[503] * 5)
    world = World(clock=clock, http=peer)
    client = Service("toy", await embedded.settings("toy"), world).client("p", "http://p")
    for _ in range(5):
        assert (await client.call("GET", "/x", operation="x")).status_code == 503
    with pytest.raises(BreakerOpen):
        await client.call("GET", "/x", operation="x")
    clock.advance(6)
    assert (await client.call("GET", "/x", operation="x")).status_code == 200


def test_a_half_open_breaker_lets_one_through() -> None:
    clock = ManualClock(datetime(2026, 1, 1, tzinfo=UTC))
    breaker = Breaker(clock)
    for _ in range(5):
        breaker.failed()
    clock.advance(6)
    assert [breaker.allows(), breaker.allows()] == [True, False]
    breaker.succeeded()
    assert breaker.allows()


# ---- probes -----------------------------------------------------------------------------------


async def probe(service: Service) -> dict[str, int]:
    async with client_of(service) as http:
        paths = ("/livez", "/startupz", "/readyz")
        return {path: (await http.get(path)).status_code for path in paths}


async def test_a_service_without_a_database_is_ready_at_once(service: Service) -> None:
    assert await probe(service) == {"/livez": 200, "/startupz": 200, "/readyz": 200}


async def test_a_service_waits_for_its_schema(real: Real) -> None:
    service = buyer.create_app(await real.settings("buyer"))
    assert await probe(service) == {"/livez": 200, "/startupz": 503, "/readyz": 503}
    await service.migrate()
    service.probes._checked_at = None
    assert await probe(service) == {"/livez": 200, "/startupz": 200, "/readyz": 200}
    await service.db.close()


async def test_without_its_database_a_started_service_is_alive_and_not_ready(
    embedded: Embedded,
) -> None:
    away = {"database_url": SecretStr("postgresql+asyncpg://nobody@127.0.0.1:9/none")}
    settings = (await embedded.settings("buyer")).model_copy(update=away)
    service = buyer.create_app(settings)
    service.probes._started = True
    assert await probe(service) == {"/livez": 200, "/startupz": 200, "/readyz": 503}


async def test_a_draining_service_is_alive_and_not_ready(service: Service) -> None:
    service.drain.begin()
    assert await probe(service) == {"/livez": 200, "/startupz": 200, "/readyz": 503}
    async with client_of(service) as http:
        answer = await http.get("/things/x")
    assert (answer.status_code, answer.headers["connection"]) == (200, "close")


async def test_a_loop_that_stood_still_is_not_alive(service: Service) -> None:
    service.probes._beat = -100.0
    assert (await probe(service))["/livez"] == 503


def test_library_logs_are_not_touched_by_the_import() -> None:
    assert all("_Bridge" not in type(handler).__name__ for handler in logging.root.handlers)
