"""The situations that the rules of the protocol were made for, one order each.

A healthy shop gets through all of them; without its rule each leaves something that shows.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import httpx
import sqlalchemy as sa
from tests.shop import crashing
from tests.shop.crashing import PATIENCE, SturdyShop
from tests.shop.shop_in_process import Customer, Send

import bank.tables
import payments.tables
from shopkit.messages import Message
from shopkit.schema import sagas
from shopkit.testing import until

# A worker that waits for the bank loses its lease long before it gives up.
PATIENT_WORKER = {"PROVIDER_DEADLINE": 20}


@dataclass
class Waylaid:
    """The first of each of these messages waits until it is let go; the others are lost."""

    shop: SturdyShop
    types: tuple[str, ...]
    caught: dict[str, Message] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.shop.broker.copies = self._copies

    def _copies(self, message: Message) -> int:
        if message.type not in self.types:
            return 1
        self.caught.setdefault(message.type, message)
        return 0

    async def let_go(self, type: str) -> None:
        await until(lambda: type in self.caught, PATIENCE)
        self.shop.broker.arrive(self.caught[type])
        await until(lambda: not self.shop.broker.waiting(), PATIENCE)


class Held:
    """Calls to the bank that wait until they are let go, before the bank hears them or after."""

    def __init__(self, shop: SturdyShop, path: str, *, heard: bool = False, most: int = 99) -> None:
        self._path, self._heard, self._left = path, heard, most
        self._open, self.waiting = asyncio.Event(), 0
        shop.wires.around = self._around

    async def _around(self, request: httpx.Request, send: Send) -> httpx.Response:
        if request.method != "POST" or self._left == 0 or not request.url.path.endswith(self._path):
            return await send(request)
        self._left -= 1
        answer = await send(request) if self._heard else None
        self.waiting += 1
        await self._open.wait()
        return answer or await send(request)

    async def caught(self) -> None:
        await until(lambda: self.waiting, PATIENCE)

    def let_go(self) -> None:
        self._open.set()


async def forget_keys(shop: SturdyShop) -> None:
    """A day later: the bank knows what it did, but no idempotency key."""
    async with shop.wires.up["bank"].db.transaction("forget_keys") as tx:
        await tx.execute(sa.delete(bank.tables.answers))


async def charging(shop: SturdyShop, card: str = "tok_ok") -> tuple[Customer, str]:
    """An order that has its stock; the shop hears nothing of its charge."""
    shop.lose("Charged", "Declined")
    customer = shop.customer()
    order_id = await customer.buy({"tea": 1}, card)
    await customer.reaches(order_id, "CHARGING")
    return customer, order_id


async def charged(shop: SturdyShop) -> tuple[Customer, str]:
    customer, order_id = await charging(shop)
    await until(lambda: shop.charged(order_id), PATIENCE)
    return customer, order_id


async def payment(shop: SturdyShop, order_id: str) -> sa.Row[tuple[object, ...]]:
    mine = payments.tables.payments.c.order_id == order_id
    query = sa.select(payments.tables.payments).where(mine)
    await until(lambda: shop.rows("payments", query), PATIENCE)
    return (await shop.rows("payments", query))[0]


async def sends(shop: SturdyShop, order_id: str) -> int:
    """How often the pending command was sent."""
    rows = await shop.rows("orders", sa.select(sagas.c.attempt).where(sagas.c.id == order_id))
    return int(rows[0].attempt)


async def cancelled(customer: Customer, order_id: str) -> None:
    assert (await customer.cancel(order_id)).status_code == 202
    await ended(customer, order_id, "CANCELLED")


async def ended(customer: Customer, order_id: str, state: str) -> None:
    order = await customer.ends(order_id)
    assert order["state"] == state, order["timeline"]


async def idle(shop: SturdyShop) -> None:
    """Until every worker of payments has come back from the bank."""
    worker = shop.wires.up["payments"].app.state.worker
    await until(lambda: worker._free == worker._settings.payment_workers, PATIENCE)


# --- messages ------------------------------------------------------------------------------------


async def first_answer_lost(shop: SturdyShop) -> None:
    await crashing.bought_without_the_first(shop, "StockReserved")


async def everything_twice(shop: SturdyShop) -> None:
    """The customer is told each step once."""
    shop.broker.copies = lambda _: 2
    customer = shop.customer()
    order = await customer.ends(await customer.buy({"tea": 1}))
    told = [entry["event"] for entry in order["timeline"]]
    shop.heal()
    assert told == ["PLACED", "StockReserved", "Charged", "StockCommitted"], f"told {told}"


async def reserve_after_release(shop: SturdyShop) -> None:
    late, customer = Waylaid(shop, ("ReserveStock",)), shop.customer()
    await cancelled(customer, await customer.buy({"tea": 1}))
    await late.let_go("ReserveStock")


async def charge_after_cancel(shop: SturdyShop) -> None:
    late, customer = Waylaid(shop, ("ChargePayment",)), shop.customer()
    order_id = await customer.buy({"tea": 1})
    await customer.reaches(order_id, "CHARGING")
    await cancelled(customer, order_id)
    await late.let_go("ChargePayment")


async def charged_while_voiding(shop: SturdyShop) -> None:
    late, customer = Waylaid(shop, ("Charged", "ChargeCancelled")), shop.customer()
    order_id = await customer.buy({"tea": 1})
    await until(lambda: "Charged" in late.caught, PATIENCE)
    assert (await customer.cancel(order_id)).json()["state"] == "VOIDING"
    await late.let_go("Charged")
    shop.heal()
    await ended(customer, order_id, "CANCELLED")


def dies(point: str) -> crashing.Journey:
    """An order during which a service dies at this point and is started again."""

    async def way(shop: SturdyShop) -> None:
        shop.points.arm(point)
        await crashing.bought(shop)
        await shop.recovered()

    return way


# --- the bank ------------------------------------------------------------------------------------


async def outcome_unknown(shop: SturdyShop) -> None:
    """The bank charges and says 500."""
    customer = shop.customer()
    await ended(customer, await customer.buy({"tea": 1}, "tok_error_after_charge"), "COMPLETED")


async def intent_forgotten(shop: SturdyShop) -> None:
    """Payments dies before it stored the intent, and is away for a day."""
    shop.points.on_crash, point = None, "payments.payment_created.before_commit"
    shop.points.arm(point)
    customer = shop.customer()
    order_id = await customer.buy({"tea": 1})
    await until(lambda: point in shop.points.fired, PATIENCE)
    await shop.kill("payments")
    await forget_keys(shop)
    await shop.start("payments")
    await ended(customer, order_id, "COMPLETED")


async def intent_twice(shop: SturdyShop) -> None:
    """A worker hears of the intent it created days after another has created and charged one."""
    held, customer = Held(shop, "/v1/payment_intents", heard=True, most=1), shop.customer()
    order_id = await customer.buy({"tea": 1})
    await held.caught()
    await forget_keys(shop)
    await ended(customer, order_id, "COMPLETED")
    await forget_keys(shop)
    held.let_go()
    await idle(shop)


async def cancelled_during_the_call(shop: SturdyShop) -> None:
    held = Held(shop, "/confirm")
    customer, order_id = await charging(shop)
    await held.caught()
    assert (await customer.cancel(order_id)).status_code == 202
    await until(lambda: _asked_to_cancel(shop, order_id), PATIENCE)
    held.let_go()
    await ended(customer, order_id, "CANCELLED")


async def _asked_to_cancel(shop: SturdyShop, order_id: str) -> bool:
    return bool((await payment(shop, order_id)).cancel_requested)


async def approved_after_the_cancel(shop: SturdyShop) -> None:
    customer, order = await crashing.asked(shop)
    await cancelled(customer, order["id"])
    await crashing.click(shop, order["action_url"])


async def cancelled_when_declined(shop: SturdyShop) -> None:
    customer, order_id = await charging(shop, "tok_declined")
    await until(lambda: _is(shop, order_id, "DECLINED"), PATIENCE)
    await cancelled(customer, order_id)


async def _is(shop: SturdyShop, order_id: str, status: str) -> bool:
    return bool((await payment(shop, order_id)).status == status)


# --- money back ----------------------------------------------------------------------------------


async def refund_under_way(shop: SturdyShop) -> None:
    """Nobody is told that the order is cancelled while the bank still keeps the money."""
    customer, order_id = await charged(shop)
    held = Held(shop, "/v1/refunds")
    assert (await customer.cancel(order_id)).status_code == 202
    await held.caught()
    await until(lambda: _sent_often(shop, order_id), PATIENCE)
    assert (await customer.order(order_id))["state"] == "VOIDING", "CANCELLED, money kept"
    held.let_go()
    await ended(customer, order_id, "CANCELLED")


async def _sent_often(shop: SturdyShop, order_id: str) -> bool:
    """Or not any more."""
    return await sends(shop, order_id) not in (1, 2)


async def refund_unheard(shop: SturdyShop) -> None:
    """The bank gave money back, nobody heard of it, and it has forgotten the key."""
    order_id = await crashing.sold(shop)
    held = Held(shop, "/v1/refunds", heard=True, most=1)
    await crashing.give_back(shop, order_id)
    await held.caught()
    await forget_keys(shop)
    await until(lambda: crashing.refunded(shop, order_id), PATIENCE)
    held.let_go()
    await idle(shop)


async def refund_overtaken(shop: SturdyShop) -> None:
    """A worker's call reaches the bank after that of the worker who took over from it."""
    order_id = await crashing.sold(shop)
    held = Held(shop, "/v1/refunds", most=1)
    await crashing.give_back(shop, order_id)
    await until(lambda: crashing.refunded(shop, order_id), PATIENCE)
    held.let_go()
    await idle(shop)


async def cancelled_after_a_refund(shop: SturdyShop) -> None:
    """The merchant gave a part back before the order was cancelled."""
    customer, order_id = await charged(shop)
    await until(lambda: _is(shop, order_id, "CHARGED"), PATIENCE)
    await crashing.give_back(shop, order_id)
    await until(lambda: crashing.refunded(shop, order_id), PATIENCE)
    await cancelled(customer, order_id)
