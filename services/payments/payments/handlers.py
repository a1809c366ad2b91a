"""What ChargePayment and CancelCharge do to the rows; the worker alone talks to the bank."""

import uuid
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from payments import store
from payments.domain import Payment, Status, payment_id
from payments.messages import CancelCharge, ChargePayment
from payments.tables import payers, payment_methods, payments
from shopkit.db import Tx
from shopkit.messages import Body, Command

UNKNOWN_METHOD = "payment-method-unknown"


class Handlers:
    """`wake` tells the worker that a row is due."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake

    async def charge(self, tx: Tx, command: Command[ChargePayment]) -> None:
        """A row that exists, a tombstone included, is not charged again."""
        body = command.body
        token = await _token(tx, body)
        row = _row(tx, command) | {
            "user_id": body.user_id,
            "token": token,
            "amount": body.amount,
            "currency": body.currency,
        }
        if token is None:
            row |= {"status": Status.DECLINED.value, "reason": UNKNOWN_METHOD}
        else:
            row |= {"status": Status.STARTED.value, "next_attempt_at": tx.time()}
        await tx.insert_new(payments, row)
        tx.after_commit(self._wake)

    async def cancel(self, tx: Tx, command: Command[CancelCharge]) -> None:
        """Leaves a tombstone when it comes first, else asks for the payment to be undone."""
        tombstone = _row(tx, command) | {"status": Status.VOID.value, "cancel_requested": True}
        if await tx.insert_new(payments, tombstone):
            return
        if payment := await _flagged(tx, command.body.order_id):
            await store.compensate(tx, payment)
        tx.after_commit(self._wake)


async def charge_answer(tx: Tx, command: Command[ChargePayment]) -> Body | None:
    payment = await store.payment(tx, payment_id(command.body.order_id))
    return store.charge_answer(payment) if payment else None


async def cancel_answer(tx: Tx, command: Command[CancelCharge]) -> Body | None:
    payment = await store.payment(tx, payment_id(command.body.order_id))
    return await store.cancel_answer(tx, payment) if payment else None


def _row(tx: Tx, command: Command[Any]) -> dict[str, Any]:
    order_id = command.body.order_id
    return {
        "id": payment_id(order_id),
        "order_id": order_id,
        "reply_to": command.source,
        "traceparent": command.traceparent,
        "created_at": tx.clock.now(),
    }


async def _token(tx: Tx, body: ChargePayment) -> str | None:
    """None for a payment method that is missing, deleted, somebody else's, or its user leaves."""
    if not _is_uuid(body.payment_method_id):
        return None
    found = sa.select(payment_methods.c.token).where(
        payment_methods.c.id == body.payment_method_id,
        payment_methods.c.user_id == body.user_id,
        payment_methods.c.deleted_at.is_(None),
        ~sa.exists().where(payers.c.user_id == body.user_id, payers.c.erasing_since.is_not(None)),
    )
    token: str | None = await tx.scalar(found)
    return token


def _is_uuid(text: str) -> bool:
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True


async def _flagged(tx: Tx, order_id: str) -> Payment | None:
    """The UPDATE takes the row's lock: a worker settles before it or sees the flag."""
    is_open = payments.c.status.in_(store.OPEN_STATES)
    wanted = {
        "cancel_requested": True,
        "next_attempt_at": sa.case((is_open, tx.time()), else_=payments.c.next_attempt_at),
    }
    statement = sa.update(payments).where(payments.c.id == payment_id(order_id))
    row = await tx.one(statement.values(wanted).returning(payments))
    return store.payment_of(row) if row else None
