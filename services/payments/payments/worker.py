"""The worker: leases due payments and refunds and lets the bank decide them."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from payments import leases, store
from payments.charging import Charging, Lease
from payments.provider import Provider, Unresolved
from payments.refunding import Refunding
from payments.settings import PaymentsSettings
from payments.tables import payments, refunds
from shopkit.app import Service
from shopkit.db import Tx
from shopkit.errors import Unavailable
from shopkit.waker import Waker, first_of


@dataclass(frozen=True)
class Job:
    name: str
    table: sa.Table
    lease: Lease
    run: Callable[[], Awaitable[None]]


class Worker:
    """Any number of replicas may run one: a row belongs to whoever holds its lease."""

    def __init__(self, service: Service, settings: PaymentsSettings, provider: Provider) -> None:
        self._db, self._ids, self._log = service.db, service.ids, service.log
        self._spans, self._settings = service.spans, settings
        self._waker = Waker(service.clock)
        self._free = settings.payment_workers
        lease, poll = settings.payment_lease, settings.action_poll
        self._charging = Charging(
            service.db,
            provider,
            seconds=lease,
            poll=poll,
            public_url=settings.public_url,
            wake=self.wake,
        )
        first, longest = settings.retry_first, settings.retry_max
        self._refunding = Refunding(service.db, provider, first=first, longest=longest)

    def wake(self) -> None:
        self._waker.wake()

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop`; then the calls that are under way are finished."""
        self._free = self._settings.payment_workers
        async with asyncio.TaskGroup() as tasks:
            while not stop.is_set():
                for job in await self._take():
                    self._free -= 1
                    tasks.create_task(self._do(job))
                await first_of(self._waker.wait(self._settings.payment_poll), stop.wait())

    async def _take(self) -> Sequence[Job]:
        """Nothing while all hands are full or the database is away."""
        if self._free <= 0:
            return ()
        try:
            return await self._lease()
        except Unavailable as error:
            self._log.warning("payment_lease_failed", error=type(error).__name__)
            return ()

    async def _lease(self) -> Sequence[Job]:
        token = self._ids.token(12)
        async with self._db.transaction("payment_lease") as tx:
            charges = await self._leased(tx, payments, token, self._free)
            returns = await self._leased(tx, refunds, token, self._free - len(charges))
            return [self._charge(row) for row in charges] + [
                await self._refund(tx, row) for row in returns
            ]

    async def _leased(
        self, tx: Tx, table: sa.Table, token: str, limit: int
    ) -> Sequence[sa.Row[Any]]:
        if limit <= 0:
            return ()
        seconds = self._settings.payment_lease
        return await leases.take(tx, table, token=token, seconds=seconds, limit=limit)

    def _charge(self, row: sa.Row[Any]) -> Job:
        payment, lease = store.payment_of(row), _lease(row, row.traceparent)
        return Job("charge", payments, lease, lambda: self._charging.advance(payment, lease))

    async def _refund(self, tx: Tx, row: sa.Row[Any]) -> Job:
        of = sa.select(payments.c.intent_id, payments.c.traceparent)
        owner = await tx.one(of.where(payments.c.id == row.payment_id))
        intent_id, trace = (owner.intent_id, owner.traceparent) if owner else ("", "")
        refund, lease = store.refund_of(row), _lease(row, trace)
        return Job(
            "refund", refunds, lease, lambda: self._refunding.advance(refund, intent_id, lease)
        )

    async def _do(self, job: Job) -> None:
        """Whatever goes wrong, the row stays open: an unknown outcome is not a failure."""
        try:
            with self._spans.span("internal", job.name, job.lease.traceparent) as span:
                span.set("attempt", job.lease.attempt)
                await self._attempt(job)
        except Exception as error:
            # The lease runs out by itself; to free the row now would repeat the failure at once.
            self._log.error("payment_step_failed", table=job.table.name, exc_info=error)
        self._free += 1
        if self._free == 1:
            self._waker.wake()

    async def _attempt(self, job: Job) -> None:
        try:
            await job.run()
        except Unresolved as outcome:
            self._log.info("bank_outcome_open", table=job.table.name, error=str(outcome))
            await self._postpone(job)

    async def _postpone(self, job: Job) -> None:
        lease, settings = job.lease, self._settings
        seconds = leases.backoff(
            lease.attempt,
            first=settings.retry_first,
            longest=settings.retry_max,
            chance=self._ids.random(),
        )
        async with self._db.transaction("payment_postponed") as tx:
            row = (tx, job.table, lease.id)
            await leases.postpone(*row, token=lease.token, seen=lease.seen, seconds=seconds)


def _lease(row: sa.Row[Any], traceparent: str) -> Lease:
    return Lease(row.id, row.lease_token, row.next_attempt_at, row.attempt, traceparent)
