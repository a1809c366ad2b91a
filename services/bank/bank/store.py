"""Intents, refunds and the ledger, read and written in the caller's transaction."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import sqlalchemy as sa

from bank.domain import Intent, IntentStatus, Refund, RefundStatus, Refusal, Token
from bank.tables import intents, ledger, refunds
from shopkit.db import Tx


async def add_intent(tx: Tx, intent: Intent) -> None:
    await tx.execute(sa.insert(intents).values(asdict(intent)))


async def intent(tx: Tx, intent_id: str) -> Intent:
    query = sa.select(intents).where(intents.c.id == intent_id).with_for_update()
    row = await tx.one(query)
    if row is None:
        raise Refusal(404, "resource_missing", f"No such payment_intent: '{intent_id}'")
    return _intent(row)


async def intents_after(tx: Tx, intent_id: str, limit: int) -> Sequence[Intent]:
    """In the order of their ids."""
    page = sa.select(intents).where(intents.c.id > intent_id).order_by(intents.c.id)
    return [_intent(row) for row in await tx.all(page.limit(limit))]


async def save_intent(tx: Tx, intent: Intent) -> None:
    """Stores a transition; the step to succeeded is the one that moves money."""
    changed = {
        "status": intent.status,
        "decline_code": intent.decline_code,
        "return_url": intent.return_url,
    }
    await tx.execute(sa.update(intents).where(intents.c.id == intent.id).values(changed))
    if intent.status is IntentStatus.SUCCEEDED:
        await _move(tx, "charge", intent.id, intent, intent.amount)


async def refunds_of(tx: Tx, intent_id: str) -> Sequence[Refund]:
    query = sa.select(refunds).where(refunds.c.payment_intent == intent_id)
    rows = await tx.all(query.order_by(refunds.c.created, refunds.c.id))
    return [_refund(row) for row in rows]


async def refund(tx: Tx, refund_id: str) -> Refund:
    row = await tx.one(sa.select(refunds).where(refunds.c.id == refund_id))
    if row is None:
        raise Refusal(404, "resource_missing", f"No such refund: '{refund_id}'")
    return _refund(row)


async def add_refund(tx: Tx, intent: Intent, refund: Refund) -> None:
    await tx.execute(sa.insert(refunds).values(asdict(refund)))
    if refund.status is RefundStatus.SUCCEEDED:
        await _move(tx, "refund", refund.id, intent, -refund.amount)


async def ledger_after(tx: Tx, seq: int, limit: int) -> Sequence[sa.Row[Any]]:
    """Movements in the order they were booked, each with the metadata of its intent."""
    query = (
        sa.select(ledger, intents.c.metadata)
        .join(intents, intents.c.id == ledger.c.payment_intent)
        .where(ledger.c.seq > seq)
        .order_by(ledger.c.seq)
        .limit(limit)
    )
    return await tx.all(query)


async def _move(tx: Tx, kind: str, cause: str, intent: Intent, amount: int) -> None:
    line = {
        "kind": kind,
        "cause": cause,
        "payment_intent": intent.id,
        "amount": amount,
        "currency": intent.currency,
        "created": int(tx.clock.now().timestamp()),
    }
    await tx.execute(sa.insert(ledger).values(line))


def _intent(row: sa.Row[Any]) -> Intent:
    fields = row._asdict()
    fields["payment_method"] = Token(fields["payment_method"])
    return Intent(**{**fields, "status": IntentStatus(fields["status"])})


def _refund(row: sa.Row[Any]) -> Refund:
    fields = row._asdict()
    return Refund(**{**fields, "status": RefundStatus(fields["status"])})
