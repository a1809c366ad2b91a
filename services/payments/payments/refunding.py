"""One leased refund, carried forward at the bank; no transaction is open during a call."""

from typing import Any

import sqlalchemy as sa

from payments import domain, leases, store
from payments.charging import Lease, answer_cancel
from payments.domain import Cause, Refund, RefundStatus
from payments.provider import Provider, ProviderRefund, Refused, Unresolved
from payments.tables import payments, refunds
from shopkit.db import Database, Tx


class Refunding:
    """`first` and `longest` space the compensations that follow failed ones, in seconds."""

    def __init__(self, db: Database, provider: Provider, *, first: float, longest: float) -> None:
        self._db, self._provider = db, provider
        self._first, self._longest = first, longest

    async def advance(self, refund: Refund, intent_id: str, lease: Lease) -> None:
        """Raises Unresolved until the bank says succeeded or failed."""
        try:
            answer = await self._made(refund, intent_id, retry=lease.attempt > 1)
        except Refused as refusal:
            await self._settle(refund, lease, RefundStatus.FAILED, refusal.code)
            return
        match answer.status:
            case "succeeded":
                await self._settle(refund, lease, RefundStatus.SUCCEEDED, None)
            case "failed" | "canceled":
                await self._settle(refund, lease, RefundStatus.FAILED, answer.status)
            case _:
                raise Unresolved(answer.status)

    async def _made(self, refund: Refund, intent_id: str, *, retry: bool) -> ProviderRefund:
        """Before every retry the bank is asked: it may have forgotten the key, not the refund."""
        if retry:
            for known in await self._provider.refunds(intent_id):
                if known.refund_id == refund.id:
                    return known
        return await self._provider.refund(intent_id, refund_id=refund.id, amount=refund.amount)

    async def _settle(
        self, refund: Refund, lease: Lease, status: RefundStatus, reason: str | None
    ) -> None:
        async with self._db.transaction("refund_settled") as tx:
            # The payment's lock comes first everywhere, so that what is left is decided by one.
            locked = sa.select(payments).where(payments.c.id == refund.payment_id)
            row = await tx.one(locked.with_for_update())
            if row is not None and await _settled(tx, refund, lease, status, reason):
                await self._conclude(tx, refund, row, status)

    async def _conclude(
        self, tx: Tx, refund: Refund, row: sa.Row[Any], status: RefundStatus
    ) -> None:
        payment = store.payment_of(row)
        if status is RefundStatus.SUCCEEDED:
            lines = domain.refund_entry(refund.amount)
            await store.book(tx, refund.id, payment.id, payment.currency, lines)
        if payment.cancel_requested:
            await store.compensate(tx, payment, delay=await self._delay(tx, refund))
            await answer_cancel(tx, row)

    async def _delay(self, tx: Tx, refund: Refund) -> float:
        made = await store.refunds_of(tx, refund.payment_id)
        tries = sum(r.cause is Cause.COMPENSATION for r in made)
        wait = {"first": self._first, "longest": self._longest, "chance": tx.ids.random()}
        return leases.backoff(tries, **wait) if tries else 0


async def _settled(
    tx: Tx, refund: Refund, lease: Lease, status: RefundStatus, reason: str | None
) -> bool:
    ours = sa.update(refunds).where(
        refunds.c.id == refund.id,
        refunds.c.status == RefundStatus.PENDING.value,
        refunds.c.lease_token == lease.token,
    )
    why = {"reason": reason} if reason else {}
    result = await tx.execute(ours.values({**leases.DONE, **why, "status": status.value}))
    return result.rowcount == 1
