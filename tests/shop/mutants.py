"""Each rule of orders, stock and delivery switched off, and what has to notice."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import sqlalchemy as sa
from tests.shop import crashing, hard_ways
from tests.shop.model import Rule
from tests.shop.mutant import Mutants, Patch

import catalog.app
import orders.domain
from catalog import movements, reservations
from catalog.domain import Command as StockCommand
from catalog.domain import Hold, released
from catalog.messages import ReleaseStock
from catalog.tables import stock
from orders.domain import State
from orders.messages import Charged
from shopkit import inbox, outbox
from shopkit.consumer import Consumer
from shopkit.ids import uuid5
from shopkit.messages import Command, Message
from shopkit.transport.memory import MemoryTransport

MUTANTS = Mutants()


# --- the saga ------------------------------------------------------------------------------------


@MUTANTS.without(Rule.RESEND, crashing.sent_again, shows="stuck in RESERVING")
def a_command_is_sent_once(patch: Patch) -> None:
    async def nothing(*_: object) -> None: ...

    patch.setattr(outbox, "again", nothing)


@MUTANTS.without(Rule.LATE_CHARGED, hard_ways.charged_while_voiding, shows="I2 .* was compensated")
def a_late_charged_confirms(patch: Patch) -> None:
    patch.setitem(orders.domain.NEXT, (State.VOIDING, Charged), State.CONFIRMED)


# --- the stock -----------------------------------------------------------------------------------


@MUTANTS.without(
    Rule.STOCK_TOMBSTONE, hard_ways.reserve_after_release, shows="I3 .* the reservation is HELD"
)
def a_release_that_came_first_leaves_no_row(patch: Patch) -> None:
    async def release(tx: Any, command: Any) -> None:
        await reservations._move_on(tx, command, StockCommand.RELEASE, released)

    patch.setattr(reservations, "release", release)


@MUTANTS.without(Rule.REJECTION_ROW, crashing.rejected, shows="dead letter .* has no reservation")
def a_rejection_leaves_no_row(patch: Patch) -> None:
    changed, rows = reservations._change, reservations.reservations

    async def change(tx: Any, order_id: str, status: Hold, values: Any = None) -> None:
        if status is not Hold.REJECTED:
            return await changed(tx, order_id, status, values)
        await tx.execute(sa.delete(rows).where(rows.c.order_id == order_id))

    patch.setattr(reservations, "_change", change)


@MUTANTS.without(Rule.NO_EXPIRY, crashing.approved, shows="dead letter .* CommitStock")
def a_hold_expires(patch: Patch) -> None:
    made = catalog.app.create_app

    def create_app(settings: Any, world: Any) -> Any:
        service = made(settings, world)
        service.every("expire", 0.05, lambda: _expire(service))
        return service

    patch.setattr(catalog.app, "create_app", create_app)


async def _expire(service: Any) -> None:
    rows = reservations.reservations
    async with service.db.transaction("clean") as tx:
        held = await tx.all(sa.select(rows.c.order_id).where(rows.c.status == Hold.HELD))
        for row in held:
            cause, body = uuid5(row.order_id, "expired"), ReleaseStock(order_id=row.order_id)
            release = Command(cause, "ReleaseStock", "", row.order_id, "", 1, "", body)
            await reservations.release(tx, release)


@MUTANTS.without(
    "stock is taken by a guarded update", crashing.rejected, shows="dead letter .* CHECK"
)
def stock_is_taken_without_a_look(patch: Patch) -> None:
    async def taken(tx: Any, m: Any) -> bool:
        new = {"on_hand": stock.c.on_hand + m.on_hand, "held": stock.c.held + m.held}
        await tx.execute(sa.update(stock).where(stock.c.sku == m.sku).values(new))
        return True

    patch.setattr(movements, "_guarded", taken)


# --- delivery, where a whole order shows it ------------------------------------------------------


@MUTANTS.without(
    "a: state and message are one transaction",
    hard_ways.dies("orders.place_order.before_commit"),
    shows="I3 .* unknown to orders",
)
def a_message_leaves_before_the_commit(patch: Patch) -> None:
    brokers: dict[str, Any] = {}

    async def start(self: Any) -> None:
        brokers[self._service] = self._broker

    async def put(tx: Any, row: dict[str, Any]) -> None:
        brokers[tx.service].publish(outbox._message(SimpleNamespace(**row), tx.service))

    patch.setattr(MemoryTransport, "start", start)
    patch.setattr(outbox, "put", put)


@MUTANTS.without(
    "c: a message takes effect once", hard_ways.everything_twice, shows="told .*PLACED"
)
def no_message_is_remembered(patch: Patch) -> None:
    handle = inbox.handle

    async def anew(tx: Any, known: Any, message: Message) -> Any:
        await tx.execute(sa.delete(inbox.inbox).where(inbox.inbox.c.message_id == message.id))
        return await handle(tx, known, message)

    patch.setattr(inbox, "handle", anew)


@MUTANTS.without(
    "c: inbox row and state are one transaction",
    hard_ways.dies("catalog.reserve_stock.after_commit"),
    shows="stuck in RESERVING",
)
def a_message_is_remembered_before_it_is_handled(patch: Patch) -> None:
    once = Consumer._once

    async def first_of_all(self: Any, message: Message) -> None:
        handler, command = self._handlers.find(message)
        async with self._c.database.transaction("reserve_stock") as tx:
            new = await tx.insert_new(inbox.inbox, inbox._row(tx, message))
        if not new:
            return await once(self, message)
        async with self._c.database.transaction("reserve_stock") as tx:
            await handler.do(tx, command)
            await inbox._answer(tx, handler, command)

    patch.setattr(Consumer, "_once", first_of_all)


@MUTANTS.without(Rule.ANSWER_AGAIN, hard_ways.first_answer_lost, shows="stuck in RESERVING")
def a_duplicate_is_not_answered(patch: Patch) -> None:
    handle, rows = inbox.handle, inbox.inbox

    async def once(tx: Any, known: Any, message: Message) -> Any:
        if await tx.one(sa.select(rows).where(rows.c.message_id == message.id)):
            return "duplicate"
        return await handle(tx, known, message)

    patch.setattr(inbox, "handle", once)


@MUTANTS.without(
    "f: the broker sees each attempt as new", crashing.sent_again, shows="stuck in RESERVING"
)
def a_resend_looks_like_a_duplicate(patch: Patch) -> None:
    patch.setattr(Message, "dedup_id", property(lambda self: self.id))
