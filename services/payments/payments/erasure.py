"""Forgets a user: no new payment methods at once, and all of them when no payment is open."""

from typing import Any

import sqlalchemy as sa

from payments import store
from payments.domain import RefundStatus
from payments.messages import EraseUser, UserErased
from payments.tables import payers, payment_methods, payments, refunds
from shopkit import idempotency
from shopkit.db import Tx
from shopkit.errors import Problem, Slug
from shopkit.messages import Body, Command

SERVICE = "payments"
# Whose payments those of all forgotten users are; what was booked stays booked.
NOBODY = "00000000-0000-0000-0000-000000000000"


async def lock(tx: Tx, user_id: str) -> sa.Row[Any]:
    await tx.insert_new(payers, {"user_id": user_id})
    row = sa.select(payers).where(payers.c.user_id == user_id)
    locked = await tx.one(row.with_for_update())
    assert locked is not None
    return locked


async def refuse_leaving(tx: Tx, user_id: str) -> None:
    """Raises the Problem for a user who is being forgotten."""
    if (await lock(tx, user_id)).erasing_since is not None:
        raise Problem(Slug.CONFLICT, "This account is being deleted.")


async def begin(tx: Tx, command: Command[EraseUser]) -> None:
    user_id = command.body.user_id
    await lock(tx, user_id)
    await _mark(tx, user_id, erasing_since=tx.clock.now())


async def answer(tx: Tx, command: Command[EraseUser]) -> Body | None:
    """None while a payment or refund is open: EraseUser is sent again until then."""
    user_id = command.body.user_id
    payer = await lock(tx, user_id)
    if payer.erased_at is None:
        if await _is_open(tx, user_id):
            return None
        await _forget(tx, user_id)
    return UserErased(user_id=user_id, service=SERVICE)


async def _is_open(tx: Tx, user_id: str) -> bool:
    mine = payments.c.user_id == user_id
    undecided = sa.select(payments.c.id).where(mine, payments.c.status.in_(store.OPEN_STATES))
    pending = sa.select(refunds.c.id).join(payments).where(mine)
    pending = pending.where(refunds.c.status == RefundStatus.PENDING.value)
    return any([await tx.one(query.limit(1)) for query in (undecided, pending)])


async def _forget(tx: Tx, user_id: str) -> None:
    await tx.execute(sa.delete(payment_methods).where(payment_methods.c.user_id == user_id))
    mine = sa.update(payments).where(payments.c.user_id == user_id)
    await tx.execute(mine.values(user_id=NOBODY, token=None))
    await idempotency.forget(tx, user_id)
    await _mark(tx, user_id, erased_at=tx.clock.now())


async def _mark(tx: Tx, user_id: str, **values: Any) -> None:
    await tx.execute(sa.update(payers).where(payers.c.user_id == user_id).values(values))
