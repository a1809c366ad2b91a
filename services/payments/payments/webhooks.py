"""The bank's webhooks: a hint to look sooner, never a source of truth."""

from typing import Any

import sqlalchemy as sa
from fastapi import APIRouter, Request
from pydantic import BaseModel, ValidationError

from payments.signatures import HEADER, is_signed
from payments.tables import payments, refunds
from shopkit.db import Tx
from shopkit.errors import Problem, Slug
from shopkit.http import Db, Kit

router = APIRouter(prefix="/api/v1/webhooks")


class _Subject(BaseModel):
    """A refund names its intent, an intent only itself."""

    id: str
    payment_intent: str | None = None


class _Data(BaseModel):
    object: _Subject


class _Event(BaseModel):
    data: _Data

    @property
    def intent_id(self) -> str:
        return self.data.object.payment_intent or self.data.object.id


class Received(BaseModel):
    received: bool = True


@router.post("/bank")
async def bank_event(request: Request, kit: Kit, db: Db) -> Received:
    """A doubled, late or early event costs one look at the bank."""
    body = await request.body()
    secret = request.app.state.webhook_secret
    signature = request.headers.get(HEADER, "")
    now = kit.clock.now().timestamp()
    if not secret or not is_signed(body, signature, secret=secret, now=now):
        raise Problem(Slug.UNAUTHENTICATED, "The signature does not match.")
    async with db.transaction("webhook") as tx:
        await _bump(tx, _parsed(body).intent_id)
        tx.after_commit(request.app.state.worker.wake)
    return Received()


def _parsed(body: bytes) -> _Event:
    try:
        return _Event.model_validate_json(body)
    except ValidationError as error:
        raise Problem(Slug.VALIDATION, "This is not an event of the bank.") from error


async def _bump(tx: Tx, intent_id: str) -> None:
    """Only rows that are open have a next attempt."""
    owner = sa.select(payments.c.id).where(payments.c.intent_id == intent_id)
    await _due_now(tx, payments, payments.c.intent_id == intent_id)
    await _due_now(tx, refunds, refunds.c.payment_id.in_(owner))


async def _due_now(tx: Tx, table: sa.Table, which: sa.ColumnElement[bool]) -> None:
    is_later = table.c.next_attempt_at > tx.time()
    changed: dict[str, Any] = {"next_attempt_at": tx.time()}
    await tx.execute(sa.update(table).where(which, is_later).values(changed))
