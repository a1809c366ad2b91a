"""One leased payment, carried forward at the bank; no transaction is open during a call."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from payments import domain, leases, store
from payments.domain import Intent, IntentState, Outcome, Payment, Status, Step
from payments.provider import Provider, Refused, Unresolved
from payments.tables import payments
from shopkit import outbox
from shopkit.db import Database, Tx
from shopkit.messages import Body, ReplyAddress, command_id


@dataclass(frozen=True)
class Lease:
    """A row that is ours until `lease_until`; `seen` is when it was due."""

    id: str
    token: str
    seen: datetime
    attempt: int
    traceparent: str


class Charging:
    """`seconds` is the lease, `poll` how often a payment at the customer is looked at, `public_url`
    where the customer finds the order again."""

    def __init__(
        self,
        db: Database,
        provider: Provider,
        *,
        seconds: float,
        poll: float,
        public_url: str | None,
        wake: Callable[[], None],
    ) -> None:
        self._db, self._provider, self._wake = db, provider, wake
        self._seconds, self._poll, self._public_url = seconds, poll, public_url

    async def advance(self, payment: Payment, lease: Lease) -> None:
        """Raises Unresolved when the bank's answer does not close this step."""
        fresh = payment.status is Status.STARTED
        if fresh:
            started = await self._start(payment, lease)
            if started is None:
                return
            payment = started
        if step := domain.next_step(payment, fresh=fresh):
            await self._finish(payment, lease, step)

    async def _start(self, payment: Payment, lease: Lease) -> Payment | None:
        """The payment with an intent at the bank; None when it ended, or is no longer ours."""
        if domain.next_step(payment, fresh=True) is Step.VOID:
            await self._settle(payment, lease, Outcome(Status.VOID))
            return None
        try:
            intent = await self._create(payment)
        except Refused as refusal:
            await self._settle(payment, lease, Outcome(Status.DECLINED, reason=refusal.code))
            return None
        return await self._created(payment, lease, intent)

    async def _create(self, payment: Payment) -> Intent:
        return await self._provider.create(
            key=payment.id,
            order_id=payment.order_id,
            amount=payment.amount,
            currency=payment.currency,
            token=payment.token,
        )

    async def _created(self, payment: Payment, lease: Lease, intent: Intent) -> Payment | None:
        """Stores the intent's id before any money can move; the lease starts anew."""
        async with self._db.transaction("payment_created") as tx:
            values = {
                "status": Status.CREATED.value,
                "intent_id": intent.id,
                "lease_until": tx.time(self._seconds),
            }
            row = await tx.one(_ours(payment, lease).values(values).returning(payments))
            return store.payment_of(row) if row else None

    async def _finish(self, payment: Payment, lease: Lease, step: Step) -> None:
        intent = await self._ask(payment, step)
        result = domain.outcome(payment, intent)
        if result is None:
            raise Unresolved(intent.state)
        await self._settle(payment, lease, result)

    async def _ask(self, payment: Payment, step: Step) -> Intent:
        intent_id = payment.intent_id or ""
        if step is Step.CANCEL:
            return await self._provider.cancel(intent_id)
        if step is Step.LOOK:
            intent = await self._provider.look(intent_id)
            if intent.state is not IntentState.UNCONFIRMED:
                return intent
        key, page = f"{payment.id}:confirm", self._order_page(payment)
        return await self._provider.confirm(intent_id, key=key, return_url=page)

    def _order_page(self, payment: Payment) -> str | None:
        return f"{self._public_url}/orders/{payment.order_id}" if self._public_url else None

    async def _settle(self, payment: Payment, lease: Lease, result: Outcome) -> None:
        """Result, ledger and reply in one transaction; 0 rows = another worker was faster."""
        async with self._db.transaction("payment_settled") as tx:
            changed = _ours(payment, lease).values(_settled(tx, result, self._poll))
            row = await tx.one(changed.returning(payments))
            if row is not None and result.status is not payment.status:
                await self._conclude(tx, row)

    async def _conclude(self, tx: Tx, row: sa.Row[Any]) -> None:
        payment = store.payment_of(row)
        if payment.status is Status.CHARGED:
            lines = domain.charge_entry(payment.amount)
            await store.book(tx, payment.id, payment.id, payment.currency, lines)
        if payment.cancel_requested:
            await store.compensate(tx, payment)
            await answer_cancel(tx, row)
            tx.after_commit(self._wake)
        elif answer := store.charge_answer(payment):
            await outbox.reply(tx, _address(row, "ChargePayment"), answer)


def _ours(payment: Payment, lease: Lease) -> sa.Update:
    return sa.update(payments).where(
        payments.c.id == payment.id,
        payments.c.status == payment.status.value,
        payments.c.lease_token == lease.token,
    )


def _settled(tx: Tx, result: Outcome, poll: float) -> leases.Values:
    """A cancel that came during the call keeps an open row due at once."""
    values = {
        "status": result.status.value,
        "reason": result.reason,
        "action_url": result.action_url,
    }
    if result.status not in domain.OPEN:
        return {**leases.DONE, **values}
    due = sa.case((payments.c.cancel_requested, tx.time()), else_=tx.time(poll))
    return {**leases.FREE, **values, "next_attempt_at": due}


async def answer_cancel(tx: Tx, row: sa.Row[Any]) -> None:
    """ChargeCancelled, once no money is kept."""
    answer: Body | None = await store.cancel_answer(tx, store.payment_of(row))
    if answer is not None:
        await outbox.reply(tx, _address(row, "CancelCharge"), answer)


def _address(row: sa.Row[Any], command: str) -> ReplyAddress:
    id = command_id(row.order_id, "payments", command)
    return ReplyAddress(row.reply_to, id, row.order_id, traceparent=row.traceparent)
