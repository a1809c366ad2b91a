"""Calls to others over HTTP: a total deadline, retries where they are safe, a breaker."""

import asyncio
from collections.abc import Mapping
from typing import Any

import httpx
import orjson
import stamina

from shopkit import traces
from shopkit.breaker import Breaker
from shopkit.clock import Clock
from shopkit.db import open_transaction
from shopkit.faults import CrashPoints
from shopkit.metrics import Metrics
from shopkit.spans import Spans

TRIES = 3


class Unreachable(Exception):
    """No answer. What the other side did is unknown: do not treat it as a failure."""


class BreakerOpen(Exception):
    """Not called: the peer failed too often just now."""


class Client:
    """Of one service for one peer."""

    def __init__(
        self,
        service: str,
        peer: str,
        http: httpx.AsyncClient,
        deadline: float,
        clock: Clock,
        points: CrashPoints,
        metrics: Metrics,
        spans: Spans,
    ) -> None:
        self._service, self._peer, self._http = service, peer, http
        self._deadline, self._clock = deadline, clock
        self._points, self._metrics, self._spans = points, metrics, spans
        self.breaker = Breaker(clock)

    async def call(
        self,
        method: str,
        path: str,
        *,
        operation: str,
        json: Any = None,
        form: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        idempotent: bool = False,
        deadline: float | None = None,
    ) -> httpx.Response:
        """Any status is an answer. `idempotent`: may be sent again when no answer came."""
        if step := open_transaction():
            raise RuntimeError(f"{operation} inside the transaction {step}: use a worker")
        request = self._http.build_request(
            method, path, **_content(json, form), headers=dict(headers or {})
        )
        total = deadline or self._deadline
        try:
            async with asyncio.timeout(total):
                return await self._with_retries(request, operation, TRIES if idempotent else 1)
        except TimeoutError as error:
            raise Unreachable(f"{self._peer} did not answer within {total} s") from error

    async def _with_retries(
        self, request: httpx.Request, operation: str, tries: int
    ) -> httpx.Response:
        retries = stamina.retry_context(Unreachable, attempts=tries, timeout=None, wait_initial=0.1)
        async for attempt in retries:
            with attempt:
                return await self._once(request, operation)
        raise AssertionError("the last attempt returns or raises")

    async def _once(self, request: httpx.Request, operation: str) -> httpx.Response:
        if not self.breaker.allows():
            raise BreakerOpen(self._peer)
        started, outcome = self._clock.monotonic(), "unreachable"
        try:
            async with self._points.around(self._service, operation, "call"):
                response = await self._send(request, operation)
            outcome = f"{response.status_code // 100}xx"
            return response
        finally:
            self._judge(outcome)
            seconds = self._clock.monotonic() - started
            labels = self._metrics.client_seconds.labels(self._peer, operation, outcome)
            labels.observe(seconds)

    async def _send(self, request: httpx.Request, operation: str) -> httpx.Response:
        name, said = f"{self._peer} {operation}", {"peer.service": self._peer}
        with self._spans.span("client", name, traces.current(), said) as span:
            span.set("http.request.method", request.method)
            request.headers["traceparent"] = span.traceparent
            try:
                response = await self._http.send(request)
            except httpx.HTTPError as error:
                raise Unreachable(f"{self._peer}: {type(error).__name__}") from error
            span.set("http.response.status_code", response.status_code)
            if response.is_server_error:
                span.failed(str(response.status_code))
            return response

    def _judge(self, outcome: str) -> None:
        if outcome in ("unreachable", "5xx"):
            self.breaker.failed()
        else:
            self.breaker.succeeded()
        self._metrics.breaker_open.labels(self._peer).set(self.breaker.is_open)


def _content(json: Any, form: Mapping[str, Any] | None) -> dict[str, Any]:
    if form is not None:
        return {"data": dict(form)}
    return {} if json is None else {"content": orjson.dumps(json)}
