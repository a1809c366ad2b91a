"""HTTP around the routes: dependencies, probes, and what happens to every request."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, cast

import structlog
from fastapi import APIRouter, Depends, FastAPI, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shopkit import errors, traces
from shopkit.bodies import BodyLimit
from shopkit.client import BreakerOpen, Client, Unreachable
from shopkit.clock import Clock
from shopkit.db import Database
from shopkit.drain import Drain
from shopkit.errors import Problem, Slug
from shopkit.metrics import Metrics
from shopkit.probes import Probes
from shopkit.spans import Spans
from shopkit.traces import Span

if TYPE_CHECKING:
    from shopkit.app import Service

__all__ = ["BreakerOpen", "Client", "Db", "Kit", "Unreachable"]

# RFC 9110 9.1, RFC 5789. A client may call its method anything: labels must not grow with that.
_METHODS = frozenset(
    {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE"}
)
PROBES = {"/livez": Probes.alive, "/startupz": Probes.started, "/readyz": Probes.ready}
_OTHER, _NO_ROUTE = "_OTHER", "none"


async def _service(request: Request) -> "Service":
    return cast("Service", request.app.state.service)


async def _database(request: Request) -> Database:
    return cast("Service", request.app.state.service).db


Kit = Annotated[Any, Depends(_service)]
Db = Annotated[Database, Depends(_database)]


class Around:
    """Traces, measures, and turns what nobody caught into a problem."""

    def __init__(
        self, app: ASGIApp, metrics: Metrics, drain: Drain, clock: Clock, spans: Spans
    ) -> None:
        self._app, self._metrics, self._drain, self._clock = app, metrics, drain, clock
        self._spans = spans

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        started, answer = self._clock.monotonic(), _Answer(send, self._drain)
        self._metrics.http_active.inc()
        with self._span(scope) as span:
            try:
                await self._app(scope, receive, answer)
            except Exception as error:
                await self._unexpected(error, answer, scope, receive)
            finally:
                self._metrics.http_active.dec()
                self._measure(scope, answer.status, self._clock.monotonic() - started)
                _describe(span, scope, answer.status)

    def _span(self, scope: Scope) -> AbstractContextManager[Span]:
        parent = _header(scope, b"traceparent")
        if scope["path"] in PROBES:  # asked every two seconds, of every pod
            return traces.inside(Span(traces.child(parent)))
        return self._spans.span("server", _method(scope), parent)

    async def _unexpected(
        self, error: Exception, answer: "_Answer", scope: Scope, receive: Receive
    ) -> None:
        structlog.get_logger().error("unexpected_error", route=_route(scope), exc_info=error)
        if answer.status:
            raise error
        problem = Problem(Slug.INTERNAL, "The error was recorded; try again later.")
        await problem.response()(scope, receive, answer)

    def _measure(self, scope: Scope, status: int, seconds: float) -> None:
        labels = (_method(scope), _route(scope), str(status))
        self._metrics.http_seconds.labels(*labels).observe(seconds)


class _Answer:
    """Watches what is sent."""

    def __init__(self, send: Send, drain: Drain) -> None:
        self._send, self._drain = send, drain
        self.status = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            if self._drain.draining:
                # A kept-alive connection would be cut later, maybe under the client's next request.
                message["headers"] = [*message.get("headers", ()), (b"connection", b"close")]
        await self._send(message)


def _header(scope: Scope, name: bytes) -> str:
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), "")


def _method(scope: Scope) -> str:
    return scope["method"] if scope["method"] in _METHODS else _OTHER


def _route(scope: Scope) -> str:
    """The template, never the raw path: a label must not grow with the data."""
    return getattr(scope.get("route"), "path", _NO_ROUTE)


def _describe(span: Span, scope: Scope, status: int) -> None:
    method, route = _method(scope), _route(scope)
    span.set("http.request.method", method)
    span.set("http.response.status_code", status)
    if route != _NO_ROUTE:
        span.rename(f"{method} {route}")
        span.set("http.route", route)
    if status >= 500:
        span.failed(str(status))


def public_app(name: str, version: str, probes: Probes, around: dict[str, Any]) -> FastAPI:
    app = FastAPI(title=name, version=version, docs_url=None, redoc_url=None)
    errors.install(app)
    app.include_router(_probe_routes(probes), include_in_schema=False)
    app.add_middleware(BodyLimit)
    app.add_middleware(Around, **around)
    return app


def _probe_routes(probes: Probes) -> APIRouter:
    router = APIRouter()
    for path, ask in PROBES.items():
        router.add_api_route(path, _probe(partial(ask, probes)), methods=["GET"])
    return router


def _probe(ask: Callable[[], Awaitable[str]]) -> Callable[[], Awaitable[Response]]:
    async def probe() -> Response:
        return probe_answer(await ask())

    return probe


def probe_answer(trouble: str) -> Response:
    return Response(trouble or "ok", 503 if trouble else 200, media_type="text/plain")


def admin_app(name: str, metrics: Metrics) -> FastAPI:
    """For its own port, which no route exposes."""
    app = FastAPI(title=f"{name} admin", docs_url=None, redoc_url=None)
    errors.install(app)
    app.add_middleware(BodyLimit)

    @app.get("/metrics")
    async def scrape() -> Response:
        return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)

    return app
