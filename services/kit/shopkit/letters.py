"""Dead letters on the admin port: what could not be handled, and another try of it (rule e)."""

from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
import structlog
from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict

from shopkit import inbox, spans
from shopkit.auth import Ops
from shopkit.db import Database, Tx
from shopkit.errors import Problem, Slug, Unavailable
from shopkit.messages import Kind, Message
from shopkit.pages import Cursor, Limit, Page, decode_cursor, encode_cursor
from shopkit.registry import Handlers
from shopkit.relay import step_of
from shopkit.schema import dead_letters
from shopkit.spans import Spans
from shopkit.transport import Envelope


class Letter(BaseModel):
    """`count`: how often it failed; `consumer` is the kind of message, cmd or reply."""

    model_config = ConfigDict(from_attributes=True)
    consumer: Kind
    message_id: str
    type: str
    error: str
    count: int
    first_at: datetime
    last_at: datetime


class Opened(Letter):
    """With its content."""

    subject: str
    headers: dict[str, str]
    data: str


class Replayed(BaseModel):
    """`duplicate`: it had been handled in between, and was answered again."""

    outcome: inbox.Outcome


def routes(db: Database, handlers: Handlers, traced: Spans) -> APIRouter:
    router = APIRouter(prefix="/internal/dead-letters")

    @router.get("")
    async def page(_: Ops, cursor: Cursor = None, limit: Limit = 100) -> Page[Letter]:
        """In the order of their ids."""
        after = sa.true() if cursor is None else _after(cursor)
        async with db.read() as tx:
            rows = await tx.all(_ordered(after).limit(limit + 1))
        items = [Letter.model_validate(row) for row in rows[:limit]]
        more = len(rows) > limit
        last = encode_cursor(items[-1].consumer, items[-1].message_id) if more else None
        return Page(items=items, next_cursor=last)

    @router.get("/{consumer}/{message_id}")
    async def opened(consumer: Kind, message_id: UUID, _: Ops) -> Opened:
        async with db.read() as tx:
            return Opened.model_validate(await _find(tx, consumer, message_id))

    @router.post("/{consumer}/{message_id}/replay")
    async def replay(consumer: Kind, message_id: UUID, _: Ops) -> Replayed:
        """The stored payload goes to its handler; 409 with the reason when that fails again."""
        async with db.read() as tx:
            row = await _find(tx, consumer, message_id)
        return Replayed(outcome=await _dispatch(db, handlers, traced, row))

    return router


def _after(cursor: str) -> sa.ColumnElement[bool]:
    c = dead_letters.c
    try:
        consumer, id = decode_cursor(cursor)
        id = str(UUID(str(id)))
    except ValueError as error:
        detail = "`cursor` has to be the `next_cursor` of an earlier page."
        raise Problem(Slug.VALIDATION, detail) from error
    same = sa.and_(c.consumer == consumer, c.message_id > id)
    return sa.or_(c.consumer > consumer, same)


def _ordered(which: sa.ColumnElement[bool]) -> sa.Select[Any]:
    c = dead_letters.c
    return sa.select(dead_letters).where(which).order_by(c.consumer, c.message_id)


async def _find(tx: Tx, consumer: str, message_id: UUID) -> sa.Row[Any]:
    c = dead_letters.c
    mine = sa.and_(c.consumer == consumer, c.message_id == str(message_id))
    row = await tx.one(sa.select(dead_letters).where(mine))
    if row is None:
        raise Problem(Slug.NOT_FOUND, f"There is no dead letter {consumer} {message_id}.")
    return row


async def _dispatch(
    db: Database, handlers: Handlers, traced: Spans, row: sa.Row[Any]
) -> inbox.Outcome:
    """As the consumer would, once; another failure counts like the first ones."""
    parcel = Envelope(row.subject, row.headers, row.data.encode())
    try:
        message = Message.parse(parcel.subject, parcel.headers, parcel.data)
        name, said = f"process {message.type}", spans.of(message)
        with traced.span("consumer", name, message.traceparent, said):
            async with db.transaction(step_of(message.type)) as tx:
                outcome = await inbox.handle(tx, handlers, message)
    except Unavailable:
        raise
    except Exception as error:
        # Not a new id: of what was no text, the row keeps less than the broker had.
        failed = replace(inbox.failure(parcel, error), message_id=row.message_id)
        async with db.transaction("dead_letter") as tx:
            await inbox.bury(tx, failed)
        raise Problem(Slug.CONFLICT, f"It fails again: {failed.error}") from error
    log = structlog.get_logger().bind(service=db.service, outcome=outcome)
    log.info("dead_letter_replayed", type=message.type, message_id=message.id)
    return outcome
