import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import web

from microservice_operator.clock import Clock
from microservice_operator.connection import Connection, Token
from microservice_operator.errors import ApiError
from microservice_operator.metrics import Metrics
from microservice_operator.transport import JSON, Call, Transport

CALL = Call("get", "services", "test")
Handler = Callable[[web.Request], Any]


class Server:
    """One handler for everything, changed by the test."""

    def __init__(self) -> None:
        self.seen: list[web.Request] = []
        self.respond: Handler = lambda request: web.json_response({"ok": True})
        self.url = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.seen.append(request)
        answer = self.respond(request)
        if asyncio.iscoroutine(answer):
            answer = await answer
        assert isinstance(answer, web.StreamResponse)
        return answer


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server = Server()
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", server.handle)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield server
    await runner.cleanup()


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
async def transport(server: Server, metrics: Metrics) -> AsyncIterator[Transport]:
    connection = Connection(server.url, None, Token("secret"), "shop")
    async with Transport(connection, metrics, Clock(speed=20)) as transport:
        yield transport


def status(code: int, **more: Any) -> web.Response:
    return web.json_response({"kind": "Status", "code": code, **more}, status=code)


async def refused(transport: Transport, **more: Any) -> ApiError:
    with pytest.raises(ApiError) as caught:
        await transport.request(CALL, "/x", **more)
    return caught.value


async def test_the_servers_words_arrive_with_their_reason_and_cause(
    server: Server, transport: Transport
) -> None:
    details = {"causes": [{"reason": "NamespaceTerminating"}]}
    server.respond = lambda request: status(
        403, reason="Forbidden", message="no more", details=details
    )
    error = await refused(transport)
    assert (error.code, error.reason, error.message) == (403, "Forbidden", "no more")
    assert error.cause == "NamespaceTerminating"


async def test_an_answer_that_is_no_status_is_told_as_it_is(
    server: Server, transport: Transport
) -> None:
    server.respond = lambda request: web.Response(status=502, text="<html>bad gateway</html>")
    error = await refused(transport)
    assert (error.code, error.message) == (502, "<html>bad gateway</html>")
    assert error.transient


async def test_no_server_and_a_slow_server_are_passing_faults(
    server: Server, transport: Transport
) -> None:
    async def never(request: web.Request) -> web.Response:
        await asyncio.Event().wait()
        raise AssertionError

    server.respond = never
    assert (await refused(transport, deadline=0.05)).code == 0
    transport.connection = Connection("http://127.0.0.1:1", None, None, "")
    error = await refused(transport)
    assert (error.code, error.transient) == (0, True)


async def test_429_holds_back_every_request_but_the_urgent(
    server: Server, transport: Transport
) -> None:
    answers = [web.json_response({}, status=429, headers={"Retry-After": "4"})]
    server.respond = lambda request: answers.pop() if answers else web.json_response({})
    assert (await refused(transport)).retry_after == 4.0
    loop = asyncio.get_running_loop()
    asked = loop.time()
    await transport.request(CALL, "/lease", urgent=True)
    assert loop.time() - asked < 0.1
    await transport.request(CALL, "/other")
    assert loop.time() - asked > 0.15  # 4 s, twenty times as fast


async def test_every_request_is_counted_with_its_reason(
    server: Server, transport: Transport, metrics: Metrics
) -> None:
    await transport.request(CALL, "/x")
    server.respond = lambda request: status(404)
    await refused(transport)
    text = metrics.text()
    for code in (200, 404):
        labels = f'code="{code}",reason="test",resource="services",verb="get"'
        assert f"microservice_operator_api_requests_total{{{labels}}} 1.0" in text


async def test_a_rotated_token_is_read_again_when_the_server_refuses_the_old_one(
    server: Server, metrics: Metrics, tmp_path: Path
) -> None:
    path = tmp_path / "token"
    path.write_text("old")
    connection = Connection(server.url, None, Token(path=path), "shop")
    async with Transport(connection, metrics, Clock()) as transport:
        await transport.request(CALL, "/x")
        path.write_text("new")
        server.respond = lambda request: (
            web.json_response({})
            if request.headers["Authorization"] == "Bearer new"
            else status(401)
        )
        await transport.request(CALL, "/x")
    assert [r.headers["Authorization"] for r in server.seen] == [
        "Bearer old",
        "Bearer old",
        "Bearer new",
    ]


async def test_what_kopf_closes_is_not_ours(server: Server, transport: Transport) -> None:
    lent = transport.lend()
    async with lent.get(server.url) as answer:
        assert answer.status == 200
    await lent.close()
    assert await transport.request(CALL, "/x") == {"ok": True}
    assert server.seen[0].headers["Authorization"] == "Bearer secret"


def streaming(*chunks: bytes, end: bool = True) -> Handler:
    async def respond(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for chunk in chunks:
            await response.write(chunk)
            await asyncio.sleep(0)
        if not end:
            await asyncio.Event().wait()
        return response

    return respond


async def lines(transport: Transport, silence: float = 5.0) -> list[Any]:
    stream = transport.stream(CALL, "/x", params={}, accept=JSON, silence=silence)
    return [line async for line in stream]


async def test_lines_of_a_watch_may_come_in_pieces_and_be_long(
    server: Server, transport: Transport
) -> None:
    long = orjson.dumps({"text": "x" * 300_000})
    server.respond = streaming(b'{"a":', b"1}\n", long[:1000], long[1000:] + b'\n{"b":2}\n')
    assert await lines(transport) == [{"a": 1}, {"text": "x" * 300_000}, {"b": 2}]


async def test_a_watch_that_falls_silent_ends_with_an_error(
    server: Server, transport: Transport
) -> None:
    server.respond = streaming(b'{"a":1}\n', end=False)
    with pytest.raises(ApiError) as caught:
        await lines(transport, silence=0.05)
    assert caught.value.code == 0


async def test_a_watch_that_is_refused_raises_what_the_server_said(
    server: Server, transport: Transport
) -> None:
    server.respond = lambda request: status(410, reason="Expired", message="too old")
    with pytest.raises(ApiError) as caught:
        await lines(transport)
    assert caught.value.code == 410


async def test_a_server_nobody_vouches_for_is_not_spoken_to(metrics: Metrics) -> None:
    connection = Connection("https://127.0.0.1:1", ssl.create_default_context(), None, "")
    async with Transport(connection, metrics, Clock()) as transport:
        assert (await refused(transport)).code == 0
