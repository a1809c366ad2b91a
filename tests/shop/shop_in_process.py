"""Catalog, orders, payments and the bank in this process, over a network that tests may spoil."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

import bank.tables
import catalog.tables
import orders.tables
from shop.installation import Installation
from shop.services import Place, embedded
from shopkit.app import Service
from shopkit.auth import Signer
from shopkit.clock import Clock, SystemClock
from shopkit.faults import Crash
from shopkit.ids import Ids
from shopkit.schema import dead_letters
from shopkit.testing import started, token
from shopkit.transport.memory import MemoryBroker
from shopkit.world import World

NAMES = ("auth", "catalog", "orders", "payments", "bank")
FINAL = {"COMPLETED", "REJECTED", "CANCELLED"}
ADMIN = "00000000-0000-7000-8000-0000000000ad"
Json = dict[str, Any]
Send = Callable[[httpx.Request], Awaitable[httpx.Response]]

# Everything that waits, about a tenth of what it is in earnest.
HASTE = {
    "RELAY_POLL": 0.3,
    "RELAY_LEASE": 0.3,
    "SAGA_POLL": 0.1,
    "SAGA_LEASE": 0.3,
    "ACK_WAIT": 0.5,
    "RESEND_FIRST": 0.2,
    "RESEND_MAX": 0.5,
    "PAYMENT_POLL": 0.2,
    "PAYMENT_LEASE": 2.5,
    "PROVIDER_DEADLINE": 2,
    "ACTION_POLL": 0.2,
    "RETRY_FIRST": 0.1,
    "RETRY_MAX": 0.3,
    "SLOW_SECONDS": 0.3,
    "HANG_SECONDS": 3,
    "WEBHOOK_SPREAD": 0.1,
    "WEBHOOK_POLL": 0.3,
    "WEBHOOK_RETRY": 0.2,
    "DRAIN_TIMEOUT": 1,
    "LOCK_TIMEOUT": 20,
    "LOG_LEVEL": "ERROR",
    "SQLITE_SYNCHRONOUS": "NORMAL",
}


async def _untouched(request: httpx.Request, send: Send) -> httpx.Response:
    return await send(request)


class Wires(httpx.AsyncBaseTransport):
    """HTTP between the services. One that is down refuses connections; one that dies while it
    answers breaks them, and must not take the caller with it. `around` may delay and spoil."""

    def __init__(self) -> None:
        self.up: dict[str, Service] = {}
        self.cut: Callable[[httpx.Request], bool] = lambda _: False
        self.around: Callable[[httpx.Request, Send], Awaitable[httpx.Response]] = _untouched

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return await self.around(request, self._routed)

    async def _routed(self, request: httpx.Request) -> httpx.Response:
        if self.cut(request):
            raise httpx.ConnectError("no route to host", request=request)
        for service in self.up.values():
            if any(request.url.path.startswith(path) for path in service.paths):
                return await self._answered(service, request)
        raise httpx.ConnectError("connection refused", request=request)

    async def _answered(self, service: Service, request: httpx.Request) -> httpx.Response:
        transport = httpx.ASGITransport(service.app, raise_app_exceptions=False)
        try:
            return await transport.handle_async_request(request)
        except Crash as crash:
            raise httpx.ReadError("connection reset", request=request) from crash


@dataclass
class InProcessShop:
    """`broker.copies` decides what the network does to each message."""

    folder: Path
    keys: Installation = field(default_factory=Installation.new)
    wires: Wires = field(default_factory=Wires)
    clock: Clock = field(default_factory=SystemClock)
    ids: Ids | None = None

    consumers: bool = True
    databases: dict[str, str] = field(default_factory=dict)  # URLs of those that have no file

    def __post_init__(self) -> None:
        self.broker = MemoryBroker(self.clock)
        self.world = World(self.clock, self.ids, broker=self.broker, http=self.wires)
        self.http = httpx.AsyncClient(transport=self.wires, base_url="http://shop")
        self.signer = Signer.from_json(self.keys.token_keys)
        self.shelves: dict[str, int] = {}

    async def start(self, *names: str) -> None:
        """New objects on the data that is there: what a restarted process would be."""
        place = Place(8080, 9090, self.folder)
        made = embedded(
            place,
            self.keys,
            self.world,
            only=names or NAMES,
            consumers=self.consumers,
            databases=self.databases,
        )
        for service in made:
            await started(service)
            self.wires.up[service.name] = service

    async def kill(self, *names: str) -> None:
        for name in names:
            await self.wires.up.pop(name).kill()

    async def stop(self) -> None:
        for name in list(self.wires.up):
            await self.wires.up.pop(name).stop()
        await self.http.aclose()

    async def stock(self, sku: str, quantity: int, price: int = 500) -> None:
        """A new product with that many on the shelf."""
        headers = self.signed_in(ADMIN, "customer admin")
        product: Json = {"sku": sku, "title": sku.title(), "category": "Tea"}
        product["price"] = {"amount": price, "currency": "EUR"}
        await self.called("POST", "/api/v1/products", product, headers)
        self.shelves[sku] = quantity
        if quantity:
            change = {"delta": quantity, "reason": "received"}
            await self.called("POST", f"/api/v1/stock/{sku}/adjust", change, keyed(headers))

    def signed_in(self, user: str, scopes: str = "customer") -> dict[str, str]:
        bearer = token(self.signer, user, scopes, clock=self.clock)
        return {"Authorization": f"Bearer {bearer}"}

    async def called(
        self, method: str, path: str, body: Json | None, headers: Mapping[str, str]
    ) -> Any:
        answer = await self.http.request(method, path, json=body, headers=dict(headers))
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    async def rows(self, service: str, query: sa.Select[Any]) -> list[sa.Row[Any]]:
        async with self.wires.up[service].db.read() as tx:
            return list(await tx.all(query))

    def customer(self) -> Customer:
        return Customer(self, str(uuid.uuid4()))

    def lose(self, *types: str) -> None:
        """From now on these messages do not arrive."""
        self.broker.copies = lambda message: 0 if message.type in types else 1

    def heal(self) -> None:
        self.broker.copies = lambda _: 1
        self.broker.pick = lambda _: 0
        self.wires.around = _untouched


def keyed(headers: Mapping[str, str], key: str | None = None) -> dict[str, str]:
    return {**headers, "Idempotency-Key": key or str(uuid.uuid4())}


@dataclass
class Customer:
    shop: InProcessShop
    id: str

    @property
    def headers(self) -> dict[str, str]:
        return self.shop.signed_in(self.id)

    async def buy(self, wanted: Mapping[str, int], card: str = "tok_ok") -> str:
        """Cart, quote, payment method and order; the order's id."""
        call, headers = self.shop.called, self.headers
        for sku, quantity in wanted.items():
            await call("PUT", f"/api/v1/cart/items/{sku}", {"quantity": quantity}, headers)
        lines = [{"sku": sku, "quantity": quantity} for sku, quantity in wanted.items()]
        quote = await call("POST", "/api/v1/quotes", {"lines": lines}, headers)
        method = {"token": card, "label": card}
        method = await call("POST", "/api/v1/payment-methods", method, keyed(headers))
        body = {"quote": quote["quote"], "payment_method_id": method["id"]}
        order = await call("POST", "/api/v1/orders", body, keyed(headers, quote["quote_id"]))
        return str(order["id"])

    async def order(self, order_id: str) -> Json:
        shown = await self.shop.called("GET", f"/api/v1/orders/{order_id}", None, self.headers)
        return dict(shown)

    async def cart(self) -> dict[str, int]:
        cart = await self.shop.called("GET", "/api/v1/cart", None, self.headers)
        return {line["sku"]: line["quantity"] for line in cart["lines"]}

    async def cancel(self, order_id: str) -> httpx.Response:
        path = f"/api/v1/orders/{order_id}/cancel"
        return await self.shop.http.post(path, headers=keyed(self.headers))

    async def reaches(self, order_id: str, *states: str, seconds: float = 60) -> Json:
        """The order once it is in one of the states."""
        end = time.monotonic() + seconds
        while True:
            order = await self.order(order_id)
            if order["state"] in states:
                return order
            assert order["state"] not in FINAL, f"ended {order['state']}: {order['timeline']}"
            assert time.monotonic() < end, f"still {order['state']}: {order['timeline']}"
            await asyncio.sleep(0.1)

    async def ends(self, order_id: str, seconds: float = 60) -> Json:
        return await self.reaches(order_id, *FINAL, seconds=seconds)


@asynccontextmanager
async def open_shop(
    folder: Path, monkeypatch: pytest.MonkeyPatch, **settings: object
) -> AsyncIterator[InProcessShop]:
    for name, value in {**HASTE, **settings}.items():
        monkeypatch.setenv(name, str(value))
    shop = InProcessShop(folder)
    await shop.start()
    try:
        yield shop
    finally:
        await shop.stop()


# --- what has to be true once every order has ended ----------------------------------------------


async def audit(shop: InProcessShop) -> None:
    """Money, stock and orders agree, in all four databases."""
    placed = await shop.rows("orders", sa.select(orders.tables.orders))
    assert {row.state for row in placed} <= FINAL
    sold = {row.id: row.total for row in placed if row.state == "COMPLETED"}
    assert await _kept_by_the_bank(shop) == sold
    await _audit_stock(shop, set(sold))
    for name in shop.wires.up:
        assert not await shop.rows(name, sa.select(dead_letters.c.type, dead_letters.c.error))


async def _kept_by_the_bank(shop: InProcessShop) -> dict[str, int]:
    """Order id -> money that stayed; no order was charged twice."""
    intents, ledger = bank.tables.intents.c, bank.tables.ledger.c
    moved = sa.select(ledger.kind, ledger.amount, intents.metadata).join_from(
        bank.tables.ledger, bank.tables.intents
    )
    kept: dict[str, int] = {}
    charged: set[str] = set()
    for row in await shop.rows("bank", moved):
        order_id = row.metadata["order_id"]
        if row.kind == "charge":
            assert order_id not in charged, f"order {order_id} was charged twice"
            charged.add(order_id)
        kept[order_id] = kept.get(order_id, 0) + row.amount
    return {order_id: amount for order_id, amount in kept.items() if amount}


async def _audit_stock(shop: InProcessShop, sold: set[str]) -> None:
    lines = await shop.rows("orders", sa.select(orders.tables.order_lines))
    gone: dict[str, int] = {}
    for line in lines:
        if line.order_id in sold:
            gone[line.sku] = gone.get(line.sku, 0) + line.quantity
    expected = {sku: (count - gone.get(sku, 0), 0) for sku, count in shop.shelves.items()}
    stock = await shop.rows("catalog", sa.select(catalog.tables.stock))
    assert {row.sku: (row.on_hand, row.held) for row in stock} == expected
