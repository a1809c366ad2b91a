"""A shop whose services die and come back, and the ways an order may go while they do."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from tests.shop.shop_in_process import ADMIN, HASTE, Customer, InProcessShop, Json, keyed

import auth.tables
import bank.tables
from payments.domain import payment_id
from shopkit.errors import Unavailable
from shopkit.messages import Message
from shopkit.testing import until

PATIENCE = 30.0
GIVEN_BACK = 300
# What a dead worker leaves leased is waited for in most of the cases.
SHORT_LEASES = {"PAYMENT_LEASE": 0.8, "PROVIDER_DEADLINE": 0.5, "DRAIN_TIMEOUT": 0.5}


class SturdyShop(InProcessShop):
    """A service that crashes is started again, and every caller tries until it is answered."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.points = self.world.points
        self.points.on_crash = self._on_crash
        self._restarts: set[asyncio.Task[None]] = set()

    def _on_crash(self, name: str) -> None:
        self._restarts.add(asyncio.create_task(self._restart(name)))

    async def _restart(self, name: str) -> None:
        # A new task: the crash is still unwinding in the one that called us.
        await self.kill(name)
        await self.start(name)

    async def kill(self, *names: str) -> None:
        """On purpose, so that nobody starts it again."""
        self.points.on_crash = None
        await super().kill(*names)
        self.points.on_crash = self._on_crash

    async def recovered(self) -> None:
        """Once every service that died runs again."""
        while self._restarts:
            await self._restarts.pop()

    async def called(
        self, method: str, path: str, body: Json | None, headers: Mapping[str, str]
    ) -> Any:
        """As a careful client does: the same request with the same key until there is an answer."""
        end = time.monotonic() + PATIENCE
        while True:
            with suppress(httpx.TransportError):
                answer = await self.http.request(method, path, json=body, headers=dict(headers))
                if answer.status_code < 500:
                    assert answer.is_success, f"{method} {path}: {answer.text}"
                    return answer.json() if answer.content else None
            assert time.monotonic() < end, f"{method} {path}: no answer"
            await asyncio.sleep(0.05)

    def admin(self) -> dict[str, str]:
        return self.signed_in(ADMIN, "customer admin")

    async def charged(self, order_id: str) -> bool:
        """Whether money moved at the bank."""
        intents, ledger = bank.tables.intents.c, bank.tables.ledger
        moves = sa.select(intents.metadata).join_from(ledger, bank.tables.intents)
        with suppress(KeyError, Unavailable):  # it died just now
            rows = await self.rows("bank", moves)
            return any(row.metadata["order_id"] == order_id for row in rows)
        return False


@asynccontextmanager
async def open_sturdy_shop(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    databases: Mapping[str, str] | None = None,
    **settings: object,
) -> AsyncIterator[SturdyShop]:
    for name, value in {**HASTE, **SHORT_LEASES, **settings}.items():
        monkeypatch.setenv(name, str(value))
    shop = SturdyShop(folder, databases=dict(databases or {}))
    await shop.start()
    try:
        await shop.stock("tea", 10_000)
        await shop.stock("pot", 0)
        yield shop
    finally:
        await shop.recovered()
        await shop.stop()


# --- the ways an order may go --------------------------------------------------------------------

Journey = Callable[[SturdyShop], Awaitable[None]]


async def bought(shop: SturdyShop) -> None:
    await _ends(shop, "COMPLETED", "tea", "tok_ok")


async def declined(shop: SturdyShop) -> None:
    await _ends(shop, "CANCELLED", "tea", "tok_declined")


async def rejected(shop: SturdyShop) -> None:
    await _ends(shop, "REJECTED", "pot", "tok_ok")


async def _ends(shop: SturdyShop, state: str, sku: str, card: str) -> None:
    customer = shop.customer()
    order = await customer.ends(await customer.buy({sku: 1}, card))
    assert order["state"] == state, order["timeline"]


async def sent_again(shop: SturdyShop) -> None:
    """The first command is lost on its way."""
    await bought_without_the_first(shop, "ReserveStock")


async def bought_without_the_first(shop: SturdyShop, type: str) -> None:
    shop.broker.copies = losing_the_first(type)
    await bought(shop)
    shop.heal()


def losing_the_first(type: str) -> Callable[[Message], int]:
    lost: list[str] = []

    def copies(message: Message) -> int:
        if message.type == type and not lost:
            lost.append(message.id)
            return 0
        return 1

    return copies


async def approved(shop: SturdyShop) -> None:
    customer, order = await asked(shop)
    await click(shop, order["action_url"])
    order = await customer.ends(order["id"])
    assert order["state"] == "COMPLETED", order["timeline"]


async def asked(shop: SturdyShop) -> tuple[Customer, Json]:
    customer = shop.customer()
    order_id = await customer.buy({"tea": 1}, "tok_requires_action")
    return customer, await customer.reaches(order_id, "PAYMENT_ACTION")


async def click(shop: SturdyShop, url: str) -> None:
    """A person clicks again when the bank's page does not answer."""
    while True:
        with suppress(httpx.TransportError):
            if (await shop.http.post(url, data={"answer": "approve"})).status_code == 303:
                return
        await asyncio.sleep(0.05)


async def cancelled(shop: SturdyShop) -> None:
    customer, order = await asked(shop)
    await cancel(shop, customer, order["id"])


async def cancel(shop: SturdyShop, customer: Customer, order_id: str) -> None:
    path, headers = f"/api/v1/orders/{order_id}/cancel", keyed(customer.headers)
    await shop.called("POST", path, None, headers)
    shop.heal()
    order = await customer.ends(order_id)
    assert order["state"] == "CANCELLED", order["timeline"]


async def compensated(shop: SturdyShop) -> None:
    """The cancel crosses the charge; the bank is not reached once, then refuses once."""
    customer, cut = shop.customer(), _once("POST", "/v1/refunds")
    shop.lose("Charged")
    order_id = await customer.buy({"tea": 1}, "tok_refund_fails_once")
    await customer.reaches(order_id, "CHARGING")
    await until(lambda: shop.charged(order_id), PATIENCE)
    shop.wires.cut = cut
    await cancel(shop, customer, order_id)


def _once(method: str, path: str) -> Callable[[httpx.Request], bool]:
    left = [True]

    def cut(request: httpx.Request) -> bool:
        hit = bool(left) and (request.method, request.url.path) == (method, path)
        return hit and left.pop()

    return cut


async def given_back(shop: SturdyShop) -> None:
    """The merchant gives a part of the money back."""
    order_id = await sold(shop)
    await give_back(shop, order_id)
    await until(lambda: refunded(shop, order_id), PATIENCE)


async def sold(shop: SturdyShop) -> str:
    customer = shop.customer()
    order = await customer.ends(await customer.buy({"tea": 2}))
    assert order["state"] == "COMPLETED", order["timeline"]
    return str(order["id"])


async def give_back(shop: SturdyShop, order_id: str) -> None:
    path = f"/api/v1/payments/{payment_id(order_id)}/refunds"
    await shop.called("POST", path, {"amount": GIVEN_BACK}, keyed(shop.admin()))


async def refunded(shop: SturdyShop, order_id: str) -> bool:
    path = f"/api/v1/payments/{payment_id(order_id)}"
    payment = await shop.called("GET", path, None, shop.admin())
    return bool(payment["refunded"] == GIVEN_BACK)


PASSWORD = "a long enough password"


async def erased(shop: SturdyShop) -> None:
    """Somebody wants to be forgotten while an order is open; the first EraseUser is lost."""
    who = await registered(shop)
    order = await who.reaches(await who.buy({"tea": 1}, "tok_requires_action"), "PAYMENT_ACTION")
    shop.broker.copies = losing_the_first("EraseUser")
    await shop.called("DELETE", "/api/v1/users/me", None, who.headers)
    await click(shop, order["action_url"])
    await until(lambda: forgotten(shop, who.id), PATIENCE)
    shop.heal()


async def registered(shop: InProcessShop) -> Customer:
    """With an account at auth, whose tokens these are not: the same keys sign both."""
    email = f"kim-{uuid.uuid4().hex[:12]}@shop.example"
    body = {"email": email, "password": PASSWORD, "name": "Kim Lee"}
    await shop.called("POST", "/api/v1/users", body, keyed({}))
    login = await shop.called("POST", "/api/v1/tokens", {"email": email, "password": PASSWORD}, {})
    bearer = {"Authorization": f"Bearer {login['access_token']}"}
    me = await shop.called("GET", "/api/v1/users/me", None, bearer)
    return Customer(shop, me["id"])


async def forgotten(shop: InProcessShop, user_id: str) -> bool:
    with suppress(KeyError, Unavailable):  # it died just now
        users = auth.tables.users
        return not await shop.rows("auth", sa.select(users.c.id).where(users.c.id == user_id))
    return False


JOURNEYS: tuple[Journey, ...] = (
    bought,
    declined,
    rejected,
    sent_again,
    approved,
    cancelled,
    compensated,
    given_back,
    erased,
)
