"""HTTP to the API server: one bounded pool, deadlines, JSON, line streams, errors from answers."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

import aiohttp
import orjson

from microservice_operator.clock import Clock
from microservice_operator.connection import Connection
from microservice_operator.errors import ApiError
from microservice_operator.metrics import Metrics
from microservice_operator.settings import VERSION

JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"  # JSON is YAML
METADATA_ONLY = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
METADATA_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"

WATCHES = 20  # connections beside the pool: one per child kind, CRDs, Lease and what kopf watches
METHODS = {"create": "POST", "patch": "PATCH", "delete": "DELETE"}  # all others read
SLOWEST_PAUSE = 30.0  # seconds; a server that asks for more is asked again after that
NOT_SENT = (aiohttp.ClientError, TimeoutError, OSError)


@dataclass(frozen=True, slots=True)
class Call:
    """A request in the words of RBAC, and why it is made: the labels of its metric."""

    verb: str
    resource: str
    reason: str


class Transport:
    """Requests and streams over one connector, which kopf borrows too."""

    def __init__(
        self,
        connection: Connection,
        metrics: Metrics,
        clock: Clock,
        connections: int = 64,
        *,
        parts: int = 1,
    ) -> None:
        self.connection = connection
        self._metrics = metrics
        self._clock = clock
        self._resume_at = 0.0
        self._connector = aiohttp.TCPConnector(
            limit=connections + parts * WATCHES,
            ssl=connection.tls or True,
            keepalive_timeout=75,  # the default of 15 s reconnects all the time
        )
        self._session = self.lend()

    def lend(self) -> aiohttp.ClientSession:
        """A session of its own over our connector: kopf closes what it was given."""
        return aiohttp.ClientSession(
            connector=self._connector,
            connector_owner=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            middlewares=(self._authorize,),
            headers={
                "User-Agent": f"microservice-operator/{VERSION}",
                "Accept-Encoding": "identity",  # compressing a list costs the server
            },
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()
        await self._connector.close()

    async def request(
        self,
        call: Call,
        path: str,
        *,
        body: object = None,
        params: Mapping[str, str] | None = None,
        content: str = JSON,
        accept: str = JSON,
        deadline: float = 30.0,
        urgent: bool = False,
    ) -> Any:
        """The parsed answer; raises ApiError. `urgent` does not wait while the server is busy."""
        if not urgent:
            await self._pause()
        try:
            async with self._session.request(
                METHODS.get(call.verb, "GET"),
                self.connection.server + path,
                data=None if body is None else orjson.dumps(body),
                params=params,
                headers={"Content-Type": content, "Accept": accept},
                timeout=aiohttp.ClientTimeout(total=deadline),
            ) as response:
                return await self._answer(call, response)
        except NOT_SENT as error:
            self._count(call, 0)
            raise _unreachable(error) from error

    async def stream(
        self, call: Call, path: str, *, params: Mapping[str, str], accept: str, silence: float
    ) -> AsyncGenerator[Any, None]:
        """The parsed lines of a watch; ApiError with code 0 after `silence` seconds without one."""
        await self._pause()
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=silence)
        try:
            async with self._session.get(
                self.connection.server + path,
                params=params,
                headers={"Accept": accept},
                timeout=timeout,
            ) as response:
                if response.status >= 400:
                    await self._answer(call, response)
                self._count(call, response.status)
                async for line in _lines(response.content):
                    yield orjson.loads(line)
        except NOT_SENT as error:
            raise _unreachable(error) from error

    async def _answer(self, call: Call, response: aiohttp.ClientResponse) -> Any:
        raw = await response.read()
        self._count(call, response.status)
        if response.status < 400:
            return orjson.loads(raw) if raw else {}
        error = _refused(response, raw)
        if error.code == 429:
            self._slow_down(error.retry_after or 1.0)
        raise error

    def _count(self, call: Call, code: int) -> None:
        self._metrics.requests.labels(call.verb, call.resource, call.reason, code).inc()

    def _slow_down(self, seconds: float) -> None:
        """A 429 is meant for all of us, not for one key."""
        until = self._clock.monotonic() + min(seconds, SLOWEST_PAUSE)
        self._resume_at = max(self._resume_at, until)

    async def _pause(self) -> None:
        while (wait := self._resume_at - self._clock.monotonic()) > 0:
            await self._clock.sleep(self._clock.jitter(wait))

    async def _authorize(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        """The token of now; one that was refused is read again, as it may have been rotated."""
        if (token := self.connection.token) is None:
            return await handler(request)
        request.headers["Authorization"] = token.header()
        response = await handler(request)
        if response.status == 401 and token.path:
            response.release()
            token.expire()
            request.headers["Authorization"] = token.header()
            response = await handler(request)
        return response


async def _lines(content: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """Lines of any length: aiohttp's own iteration ends at 128 KiB."""
    pending: list[bytes] = []
    async for chunk in content.iter_any():
        *whole, rest = chunk.split(b"\n")
        for line in whole:
            yield b"".join((*pending, line))
            pending.clear()
        if rest:
            pending.append(rest)


def _refused(response: aiohttp.ClientResponse, raw: bytes) -> ApiError:
    """ApiError of a metav1.Status, or of whatever a proxy in between has sent."""
    try:
        status = orjson.loads(raw)
        causes = (status.get("details") or {}).get("causes") or [{}]
        reason, message = status.get("reason", ""), status.get("message", "")
        cause = causes[0].get("reason", "")
    except (orjson.JSONDecodeError, AttributeError):
        reason, message, cause = "", raw[:256].decode(errors="replace").strip(), ""
    return ApiError(
        code=response.status,
        reason=reason or response.reason or "",
        message=message or f"{response.method} answered {response.status}",
        retry_after=_seconds(response.headers.get("Retry-After")),
        cause=cause,
    )


def _seconds(value: str | None) -> float | None:
    try:
        return float(value) if value else None
    except ValueError:  # an HTTP date: the caller's own backoff will do
        return None


def _unreachable(error: BaseException) -> ApiError:
    if isinstance(error, asyncio.TimeoutError):
        return ApiError(0, "Timeout", "the API server did not answer in time")
    return ApiError(0, type(error).__name__, f"the API server cannot be reached: {error}")
