"""Rows of payments and refunds as domain values, and the rules that need several of them."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from payments import domain
from payments.domain import Cause, Line, Payment, Refund, RefundStatus, Status
from payments.messages import ActionRequired, ChargeCancelled, Charged, Declined
from payments.tables import ledger, payments, refunds
from shopkit.db import Tx
from shopkit.messages import Body

OPEN_STATES = [status.value for status in domain.OPEN]


def payment_of(row: sa.Row[Any]) -> Payment:
    return Payment(
        id=row.id,
        order_id=row.order_id,
        status=Status(row.status),
        amount=row.amount or 0,
        currency=row.currency or "",
        token=row.token or "",
        intent_id=row.intent_id,
        cancel_requested=row.cancel_requested,
        reason=row.reason,
        action_url=row.action_url,
    )


def refund_of(row: sa.Row[Any]) -> Refund:
    status = RefundStatus(row.status)
    return Refund(row.id, row.payment_id, Cause(row.cause), row.amount, status)


async def payment(tx: Tx, payment_id: str, *, lock: bool = False) -> Payment | None:
    query = sa.select(payments).where(payments.c.id == payment_id)
    row = await tx.one(query.with_for_update() if lock else query)
    return payment_of(row) if row else None


async def refunds_of(tx: Tx, payment_id: str) -> Sequence[Refund]:
    query = sa.select(refunds).where(refunds.c.payment_id == payment_id).order_by(refunds.c.id)
    return [refund_of(row) for row in await tx.all(query)]


async def book(
    tx: Tx, cause_id: str, payment_id: str, currency: str, lines: Sequence[Line]
) -> None:
    common = {
        "cause_id": cause_id,
        "payment_id": payment_id,
        "currency": currency,
        "created_at": tx.clock.now(),
    }
    rows = [common | {"account": line.account, "amount": line.amount} for line in lines]
    await tx.execute(sa.insert(ledger), rows)


async def add_refund(tx: Tx, refund: Refund, *, reason: str = "", delay: float = 0) -> None:
    values = {
        "id": refund.id,
        "payment_id": refund.payment_id,
        "cause": refund.cause.value,
        "amount": refund.amount,
        "status": refund.status.value,
        "reason": reason or None,
        "created_at": tx.clock.now(),
        "attempt": 0,
        "next_attempt_at": tx.time(delay),
    }
    await tx.execute(sa.insert(refunds).values(values))


async def compensate(tx: Tx, payment: Payment, *, delay: float = 0) -> bool:
    """Decides the refund a cancelled payment still needs; the caller holds the payment's lock."""
    wanted = domain.compensation(payment, await refunds_of(tx, payment.id))
    if wanted is not None:
        await add_refund(tx, wanted, delay=delay)
    return wanted is not None


def charge_answer(payment: Payment) -> Body | None:
    match domain.charge_reply(payment):
        case domain.Reply.CHARGED:
            return Charged(
                order_id=payment.order_id,
                payment_id=payment.id,
                amount=payment.amount,
                currency=payment.currency,
            )
        case domain.Reply.DECLINED:
            return Declined(order_id=payment.order_id, reason=payment.reason or "cancelled")
        case domain.Reply.ACTION_REQUIRED:
            return ActionRequired(order_id=payment.order_id, url=payment.action_url or "")
        case None:
            return None


async def cancel_answer(tx: Tx, payment: Payment) -> Body | None:
    """None while the bank has not given everything back."""
    made = await refunds_of(tx, payment.id)
    if not domain.cancelled(payment, made):
        return None
    refunded = sum(r.amount for r in made if r.status is RefundStatus.SUCCEEDED)
    return ChargeCancelled(order_id=payment.order_id, refunded=refunded)
