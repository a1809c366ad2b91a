"""A shop whose clock moves only when told to, on a network that can be spoiled and mended."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import httpx
import sqlalchemy as sa
from tests.shop.auditing_in_process import verdict_on
from tests.shop.crashing import SturdyShop
from tests.shop.hard_ways import forget_keys
from tests.shop.shop_in_process import NAMES, Customer, Json, Send, keyed

import orders.tables
from payments.domain import payment_id
from shop.audit.auditing import Scope, Verdict
from shop.customer import ShopError
from shopkit.auth import Signer
from shopkit.clock import ManualClock
from shopkit.ids import SystemIds
from shopkit.messages import Message

# Times on the shop's clock are the real ones; these few are waited for on the machine's.
SETTINGS = {
    "PROVIDER_DEADLINE": 0.5,
    "DRAIN_TIMEOUT": 0.5,
    "LOCK_TIMEOUT": 20,
    "LOG_LEVEL": "ERROR",
    "SQLITE_SYNCHRONOUS": "NORMAL",
}
QUIET, CALM = 0.002, 4
# Those that sign or verify; tokens and quotes live as long as each other.
WITH_KEYS = ("catalog", "orders", "payments", "auth")
LIFETIME = 600
PATIENCE = 30.0
T = TypeVar("T")


class Steady(SystemIds):
    """Everybody waits exactly as long as planned."""

    def random(self) -> float:
        return 0.5


@dataclass(frozen=True)
class Held:
    """A token and a quote in somebody's hand, both good `until` then."""

    customer: Customer
    headers: Mapping[str, str]
    quote: Json
    until: datetime


class StillShop(SturdyShop):
    clock: ManualClock
    late: dict[str, Message]
    seen: dict[str, int]  # orders, numbered as they appeared

    @classmethod
    async def opened(cls, folder: Path, start: datetime) -> StillShop:
        clock = ManualClock(start)
        shop = cls(folder, clock=clock, ids=Steady(clock))
        shop.late, shop.seen, shop._calls = {}, {}, 0
        shop.wires.around = shop._counted
        await shop.start()
        await shop.stock("tea", 10_000, price=300)
        await shop.stock("pot", 3, price=700)
        await shop.still()
        return shop

    async def close(self) -> None:
        await self.recovered()
        await self.kill(*self.wires.up)
        await self.http.aclose()

    async def _counted(self, request: httpx.Request, send: Send) -> httpx.Response:
        self._calls += 1
        try:
            return await send(request)
        finally:
            self._calls -= 1

    # --- time ------------------------------------------------------------------------------------

    async def still(self) -> None:
        """Until nothing happens any more without time passing."""
        end, calm = time.monotonic() + PATIENCE, 0
        while calm < CALM:
            await self.recovered()
            await asyncio.sleep(QUIET)
            busy = self._calls or any(service.db._out for service in self.wires.up.values())
            calm = 0 if busy else calm + 1
            assert time.monotonic() < end, "it does not come to rest"

    async def later(self, seconds: float) -> None:
        self.clock.advance(seconds)
        await self.still()

    def in_seconds(self, seconds: float) -> datetime:
        return self.clock.now() + timedelta(seconds=seconds)

    async def settle(self, *, step: float, seconds: float, waiting: Collection[str] = ()) -> None:
        """Until nothing is open, or only orders that wait for a person."""
        end = self.in_seconds(seconds)
        while await self._work(waiting):
            assert self.clock.now() < end, await self._work(waiting)
            await self.later(step)

    async def _work(self, waiting: Collection[str]) -> list[str]:
        table = orders.tables.orders
        states = await self.rows("orders", sa.select(table.c.state).distinct())
        if waiting and {row.state for row in states} & set(waiting):
            unfinished = {row.state for row in states} - {*waiting, "COMPLETED", "REJECTED"}
            return sorted(unfinished - {"CANCELLED"})
        verdict = await self.verdict()
        return list(verdict.unsettled) if verdict else ["somebody does not answer yet"]

    async def verdict(self) -> Verdict | None:
        """None while the bank is not asked (its breaker is open) or somebody is away."""
        with suppress(ShopError):
            return await verdict_on(self, Scope(settle=0))
        return None

    # --- the network -----------------------------------------------------------------------------

    def bad_network(self, seed: int) -> None:
        """What happens to a message depends on what it says, not on when the machine sends it."""

        def copies(message: Message) -> int:
            number = self.seen.setdefault(message.correlation_id, len(self.seen))
            chance = random.Random(f"{seed} {number} {message.type} {message.attempt}")
            fate = chance.choice(["lost", "late", "once", "once", "twice"])
            if fate == "late":
                self.late[f"{number:03} {message.type} {message.attempt}"] = message
            return {"once": 1, "twice": 2}.get(fate, 0)

        self.broker.copies = copies
        self.broker.pick = (lambda waiting: waiting - 1) if seed % 2 else (lambda _: 0)

    def good_network(self) -> None:
        self.broker.copies, self.broker.pick = lambda _: 1, lambda _: 0

    async def arrives(self, number: int) -> None:
        """One of the late messages, if there are any."""
        if names := sorted(self.late):
            self.broker.arrive(self.late.pop(names[number % len(names)]))

    async def mend(self) -> None:
        """Every fault is over."""
        self.points.disarm()
        self.broker.down = False
        self.good_network()
        await self.started_again()
        await self.still()

    def down(self) -> set[str]:
        return set(NAMES) - set(self.wires.up)

    async def started_again(self) -> None:
        await self.recovered()
        if down := self.down():
            await self.start(*down)

    async def forget_keys(self) -> None:
        await forget_keys(self)

    # --- keys ------------------------------------------------------------------------------------

    async def roll(self, step: Callable[[str], str]) -> AsyncIterator[str]:
        """Both sets of keys after the step; each service starts again with them in its turn, if it
        is not down: then it has them when it is back."""
        after = {name: step(getattr(self.keys, name)) for name in ("token_keys", "quote_keys")}
        self.keys = self.keys.model_copy(update=after)
        for name in WITH_KEYS:
            if name in self.wires.up:
                await self.kill(name)
                await self.start(name)
            yield name
        self.signer = Signer.from_json(self.keys.token_keys)

    async def holding(self, customer: Customer, headers: Mapping[str, str]) -> Held:
        """With a quote that is made now."""
        lines = {"lines": [{"sku": "tea", "quantity": 1}]}
        quote = await self.called("POST", "/api/v1/quotes", lines, headers)
        return Held(customer, headers, quote, self.in_seconds(LIFETIME))

    async def ordered(self, held: Held) -> str:
        """The order's id."""
        card = {"token": "tok_ok", "label": "mine"}
        method = await self.called("POST", "/api/v1/payment-methods", card, keyed(held.headers))
        body = {"quote": held.quote["quote"], "payment_method_id": method["id"]}
        headers = keyed(held.headers, held.quote["quote_id"])
        return str((await self.called("POST", "/api/v1/orders", body, headers))["id"])

    # --- people ----------------------------------------------------------------------------------

    async def asked(self, work: Coroutine[Any, Any, T]) -> T:
        """People come again when the shop is there."""
        await self.started_again()
        return await work

    async def cancel(self, customer: Customer, order_id: str) -> bool:
        """False: it is too late."""
        path = f"/api/v1/orders/{order_id}/cancel"
        return await self._tried(path, None, keyed(customer.headers)) == 202

    async def refund(self, order_id: str, *, amount: int) -> None:
        """Too much, too early or too late is refused."""
        path = f"/api/v1/payments/{payment_id(order_id)}/refunds"
        await self._tried(path, {"amount": amount}, keyed(self.admin()))

    async def restock(self, sku: str, quantity: int) -> None:
        change = {"delta": quantity, "reason": "received"}
        assert await self._tried(f"/api/v1/stock/{sku}/adjust", change, keyed(self.admin())) < 300

    async def _tried(self, path: str, body: Json | None, headers: Mapping[str, str]) -> int:
        """The same POST until there is an answer; its status."""
        while True:
            with suppress(httpx.TransportError):
                answer = await self.http.post(path, json=body, headers=dict(headers))
                if answer.status_code < 500:
                    return answer.status_code
            await self.recovered()
            await asyncio.sleep(QUIET)
