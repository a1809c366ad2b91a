"""The inbox: a message id takes effect once, whatever the network does (rules c, d, e)."""

from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

import sqlalchemy as sa

from shopkit import outbox
from shopkit.db import Tx
from shopkit.ids import uuid5
from shopkit.messages import Command, Message
from shopkit.registry import Handler, Handlers
from shopkit.schema import dead_letters, inbox
from shopkit.transport import Parcel

KEPT = 7 * 86_400.0
_NAMELESS = "6ba7b811-9dad-11d1-80b4-00c04fd430c8"

Outcome = Literal["ok", "duplicate"]


async def handle(tx: Tx, handlers: Handlers, message: Message) -> Outcome:
    """Inbox row, state and answer in the caller's transaction (rule c)."""
    handler, command = handlers.find(message)
    new = await tx.insert_new(inbox, _row(tx, message))
    if new:
        await handler.do(tx, command)
    await _forget_failures(tx, message)
    await _answer(tx, handler, command)
    return "ok" if new else "duplicate"


def _row(tx: Tx, message: Message) -> dict[str, Any]:
    return {"consumer": message.kind, "message_id": message.id, "received_at": tx.clock.now()}


async def _answer(tx: Tx, handler: Handler[Any], command: Command[Any]) -> None:
    """From the current row, so that a duplicate is answered again (rule d)."""
    if handler.answer is None:
        return
    body = await handler.answer(tx, command)
    if body is not None:
        await outbox.reply(tx, command.address, body)


async def _forget_failures(tx: Tx, message: Message) -> None:
    row = sa.and_(dead_letters.c.consumer == message.kind, dead_letters.c.message_id == message.id)
    await tx.execute(sa.delete(dead_letters).where(row))


@dataclass(frozen=True, slots=True)
class Failure:
    """A message that cannot be handled, as it came."""

    consumer: str
    message_id: str
    type: str
    parcel: Parcel
    error: str


def failure(parcel: Parcel, error: Exception) -> Failure:
    """Works for anything, also for what is no message of ours at all."""
    kind, type_name = parcel.subject.split(".")[0], parcel.subject.split(".")[-1]
    try:
        id = str(UUID(parcel.headers["ce-id"]))
    except (KeyError, ValueError):
        id = uuid5(_NAMELESS, parcel.subject + parcel.data.hex())
    return Failure(kind, id, type_name, parcel, f"{type(error).__name__}: {error}")


async def bury(tx: Tx, failed: Failure) -> None:
    """Counts up when it is there already: the saga's re-send is the retry (rule e)."""
    if await _was_handled(tx, failed):
        return
    now, parcel = tx.clock.now(), failed.parcel
    row = {
        "consumer": failed.consumer,
        "message_id": failed.message_id,
        "type": failed.type,
        "subject": parcel.subject,
        "headers": dict(parcel.headers),
        "data": parcel.data.decode(errors="replace"),
        "error": failed.error,
        "count": 1,
        "first_at": now,
        "last_at": now,
    }
    if not await tx.insert_new(dead_letters, row):
        c = dead_letters.c
        mine = sa.and_(c.consumer == failed.consumer, c.message_id == failed.message_id)
        again = {"count": c.count + 1, "last_at": now, "error": failed.error}
        await tx.execute(sa.update(dead_letters).where(mine).values(again))


async def _was_handled(tx: Tx, failed: Failure) -> bool:
    mine = sa.and_(inbox.c.consumer == failed.consumer, inbox.c.message_id == failed.message_id)
    return await tx.one(sa.select(inbox.c.message_id).where(mine)) is not None


async def clean(tx: Tx) -> None:
    """A message older than this cannot come again: the broker keeps it for minutes."""
    await tx.execute(sa.delete(inbox).where(inbox.c.received_at < tx.time(-KEPT)))
