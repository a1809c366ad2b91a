"""`shop audit` of a shop in this process: the same program and routes, without sockets."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from tests.shop.shop_in_process import ADMIN, NAMES, InProcessShop

from shop.admin import SERVICES, Ports
from shop.audit.auditing import Scope, Verdict, audit
from shopkit.clock import SystemClock
from shopkit.testing import token


class AdminPorts(httpx.AsyncBaseTransport):
    """The admin apps by host name, as they are after each restart."""

    def __init__(self, shop: InProcessShop) -> None:
        self._shop = shop

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        service = self._shop.wires.up.get(request.url.host)
        if service is None:
            raise httpx.ConnectError("connection refused", request=request)
        return await httpx.ASGITransport(service.admin).handle_async_request(request)


@asynccontextmanager
async def admin_of(shop: InProcessShop, scopes: str = "ops") -> AsyncIterator[Ports]:
    urls = {name: f"http://{name}" for name in SERVICES if name in NAMES}
    async with httpx.AsyncClient(transport=AdminPorts(shop)) as http:
        yield Ports(http, urls, token(shop.signer, ADMIN, scopes, clock=shop.clock))


async def verdict_on(shop: InProcessShop, scope: Scope | None = None) -> Verdict:
    async with admin_of(shop) as admin:
        return await audit(admin, scope or Scope(settle=30), SystemClock(), lambda _: None)


async def must_be_clean(shop: InProcessShop) -> Verdict:
    """At rest, no invariant broken, and no message that could not be handled."""
    verdict = await verdict_on(shop)
    assert (verdict.violations, verdict.unsettled, verdict.letters) == ([], [], [])
    return verdict
