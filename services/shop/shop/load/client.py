"""Requests to the shop at little cost: what the generator takes, the shop does not get."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson

from shop.customer import API, Headers, Json
from shop.load.failures import refused, unanswered

TIMEOUT = 10.0  # seconds for one answer; a person would have left
KEEP_ALIVE = 75.0


@dataclass(frozen=True, slots=True)
class Reply:
    """A success; 304 is one."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return orjson.loads(self.body)


class Client:
    """`urls`: service -> where it is."""

    def __init__(self, http: aiohttp.ClientSession, urls: Mapping[str, str]) -> None:
        self._http, self._urls = http, urls

    async def ask(
        self,
        service: str,
        method: str,
        path: str,
        body: Json | None = None,
        *,
        token: str = "",
        key: str = "",
        headers: Headers | None = None,
    ) -> Reply:
        """Raises Failed."""
        return await self.page(
            service,
            f"{API}{path}",
            method,
            data=None if body is None else orjson.dumps(body),
            headers=_headers(body, token, key) | dict(headers or {}),
        )

    async def page(
        self,
        service: str,
        path: str,
        method: str = "GET",
        *,
        data: bytes | None = None,
        headers: Headers | None = None,
    ) -> Reply:
        """Any path of a service. Raises Failed."""
        url = f"{self._urls[service]}{path}"
        try:
            request = self._http.request(
                method, url, data=data, headers=headers, allow_redirects=False
            )
            async with request as response:
                reply = Reply(response.status, response.headers, await response.read())
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise unanswered(error) from error
        if reply.status >= 400:
            raise refused(reply.status, reply.headers, reply.body)
        return reply


def _headers(body: Json | None, token: str, key: str) -> dict[str, str]:
    """What is not needed is not sent."""
    headers = {} if body is None else {"Content-Type": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    if key:
        headers["Idempotency-Key"] = key
    return headers


@asynccontextmanager
async def opened(urls: Mapping[str, str]) -> AsyncIterator[Client]:
    """As many connections as there are requests under way: a limit would be a hidden queue."""
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE)
    timeout = aiohttp.ClientTimeout(total=TIMEOUT)
    cookies = aiohttp.DummyCookieJar()
    async with aiohttp.ClientSession(
        connector=connector, timeout=timeout, cookie_jar=cookies
    ) as http:
        yield Client(http, urls)
