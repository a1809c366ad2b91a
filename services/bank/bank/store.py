"""Intents, refunds and the ledger in the database; every function runs in the caller's transaction."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Row, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bank.domain import Intent, IntentStatus, Refund, RefundStatus, Refusal, Token
from bank.tables import intents, ledger, refunds


async def add_intent(conn: AsyncConnection, intent: Intent) -> None:
    await conn.execute(insert(intents).values(asdict(intent)))


async def intent(conn: AsyncConnection, intent_id: str) -> Intent:
    row = (await conn.execute(select(intents).where(intents.c.id == intent_id))).first()
    if row is None:
        raise Refusal(404, "resource_missing", f"No such payment_intent: '{intent_id}'")
    return _intent(row)


async def save_intent(conn: AsyncConnection, intent: Intent) -> None:
    """Stores a transition; the step to succeeded is the one that moves money."""
    changed = {"status": intent.status, "decline_code": intent.decline_code}
    await conn.execute(update(intents).where(intents.c.id == intent.id).values(changed))
    if intent.status is IntentStatus.SUCCEEDED:
        await _move(conn, "charge", intent.id, intent, intent.amount, intent.created)


async def refunds_of(conn: AsyncConnection, intent_id: str) -> Sequence[Refund]:
    query = select(refunds).where(refunds.c.payment_intent == intent_id)
    rows = await conn.execute(query.order_by(refunds.c.created, refunds.c.id))
    return [_refund(row) for row in rows]


async def refund(conn: AsyncConnection, refund_id: str) -> Refund:
    row = (await conn.execute(select(refunds).where(refunds.c.id == refund_id))).first()
    if row is None:
        raise Refusal(404, "resource_missing", f"No such refund: '{refund_id}'")
    return _refund(row)


async def add_refund(conn: AsyncConnection, intent: Intent, refund: Refund) -> None:
    await conn.execute(insert(refunds).values(asdict(refund)))
    if refund.status is RefundStatus.SUCCEEDED:
        await _move(conn, "refund", refund.id, intent, -refund.amount, refund.created)


async def ledger_after(conn: AsyncConnection, seq: int, limit: int) -> Sequence[Row[Any]]:
    """Movements in the order they were booked, each with the metadata of its intent."""
    query = (
        select(ledger, intents.c.metadata)
        .join(intents, intents.c.id == ledger.c.payment_intent)
        .where(ledger.c.seq > seq)
        .order_by(ledger.c.seq)
        .limit(limit)
    )
    return (await conn.execute(query)).all()


async def _move(
    conn: AsyncConnection, kind: str, cause: str, intent: Intent, amount: int, created: int
) -> None:
    line = {
        "kind": kind,
        "cause": cause,
        "payment_intent": intent.id,
        "amount": amount,
        "currency": intent.currency,
        "created": created,
    }
    await conn.execute(insert(ledger).values(line))


def _intent(row: Row[Any]) -> Intent:
    fields = row._asdict()
    fields["payment_method"] = Token(fields["payment_method"])
    return Intent(**{**fields, "status": IntentStatus(fields["status"])})


def _refund(row: Row[Any]) -> Refund:
    fields = row._asdict()
    return Refund(**{**fields, "status": RefundStatus(fields["status"])})
