"""The saga engine: rows, re-sends and deadlines. Any replica may move any saga."""

import asyncio
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
import structlog

from shopkit import outbox, traces
from shopkit.chassis import Chassis
from shopkit.db import Tx
from shopkit.errors import Unavailable
from shopkit.messages import Command, encode
from shopkit.registry import Handler, Handlers
from shopkit.saga import (
    Deadline,
    Pending,
    SagaDefinition,
    SagaState,
    Schedule,
    Send,
    Transition,
    UnknownSaga,
)
from shopkit.schema import sagas
from shopkit.waker import first_of

BATCH = 32
_NOTHING_PENDING: Mapping[str, Any] = {
    "pending_target": None,
    "pending_type": None,
    "pending_version": None,
    "pending_data": None,
    "attempt": 0,
    "next_attempt_at": None,
}


class SagaEngine:
    """Of one kind of saga in one service."""

    def __init__(self, chassis: Chassis, definition: SagaDefinition, handlers: Handlers) -> None:
        self._c, self._definition = chassis, definition
        settings = chassis.settings
        self._schedule = Schedule(settings.resend_first, settings.resend_max)
        self._log = structlog.get_logger().bind(service=chassis.database.service)
        for reply in definition.replies:
            handlers.add("reply", Handler(reply, self._reply))

    async def start(
        self, tx: Tx, id: str, first: Transition, *, deadline: float | None = None
    ) -> None:
        """In the transaction that makes the saga's cause; `deadline` in seconds from now."""
        now, seconds = tx.clock.now(), deadline or self._c.settings.saga_deadline
        row = {
            "id": id,
            "kind": self._definition.name,
            "state": first.state,
            "version": 1,
            "data": dict(first.data),
            "deadline_at": tx.time(seconds),
            "created_at": now,
            "updated_at": now,
        }
        sent = await self._send(tx, id, first.send, traces.current())
        await tx.execute(sa.insert(sagas).values(row | sent))

    async def get(self, tx: Tx, id: str) -> SagaState | None:
        row = await tx.one(self._select(id))
        return None if row is None else _state(row)

    async def tell(self, tx: Tx, id: str, message: object) -> Transition | None:
        """Applies what `decide` says about the message; raises UnknownSaga."""
        row = await tx.one(self._select(id).with_for_update())
        if row is None:
            raise UnknownSaga(id)
        return await self._apply(tx, row, message, {})

    async def _reply(self, tx: Tx, reply: Command[Any]) -> None:
        await self.tell(tx, self._definition.id_of(reply.body), reply.body)

    def _select(self, id: str) -> sa.Select[Any]:
        mine = sa.and_(sagas.c.id == id, sagas.c.kind == self._definition.name)
        return sa.select(sagas).where(mine)

    async def _apply(
        self, tx: Tx, row: sa.Row[Any], message: object, changes: Mapping[str, Any]
    ) -> Transition | None:
        saga = _state(row)
        _link(row)
        transition = self._definition.decide(saga, message)
        await self._definition.record(tx, saga, message, transition)
        moved = {} if transition is None else await self._moved(tx, row, transition)
        if changes or moved:
            await self._update(tx, row, {**changes, **moved})
        return transition

    async def _moved(self, tx: Tx, row: sa.Row[Any], to: Transition) -> dict[str, Any]:
        values: dict[str, Any] = {"state": to.state, "data": {**row.data, **to.data}}
        if to.state in self._definition.final:
            self._finished(tx, row, to.state)
            values |= {**_NOTHING_PENDING, "deadline_at": None}
        elif not _same_command(row, to.send):
            values |= await self._send(tx, row.id, to.send, _trace(row))
        return values

    def _finished(self, tx: Tx, row: sa.Row[Any], result: str) -> None:
        seconds = (tx.clock.now() - row.created_at).total_seconds()
        measure = self._c.metrics.saga_seconds.labels(result)
        tx.after_commit(lambda: measure.observe(seconds))

    async def _update(self, tx: Tx, row: sa.Row[Any], values: Mapping[str, Any]) -> None:
        """The version check makes two decisions on one state impossible, whatever the isolation."""
        unchanged = sa.and_(sagas.c.id == row.id, sagas.c.version == row.version)
        now = {"version": row.version + 1, "updated_at": tx.clock.now()}
        result = await tx.execute(sa.update(sagas).where(unchanged).values({**values, **now}))
        if result.rowcount == 0:
            raise Unavailable(f"saga {row.id} was changed in between")

    async def _send(self, tx: Tx, id: str, send: Send | None, trace: str) -> dict[str, Any]:
        """Puts the command into the outbox; the columns that keep it pending."""
        if send is None:
            return {**_NOTHING_PENDING, "traceparent": trace}
        await outbox.command(tx, send.target, send.body, correlation_id=id, trace=trace)
        wait = self._schedule.after(1, tx.ids.random())
        return {
            "traceparent": trace,
            "pending_target": send.target,
            "pending_type": send.body.type_name(),
            "pending_version": send.body.version,
            "pending_data": encode(send.body).decode(),
            "attempt": 1,
            "last_attempt_at": tx.clock.now(),
            "next_attempt_at": tx.time(wait),
        }

    async def run(self, stop: asyncio.Event) -> None:
        """The ticker."""
        while not stop.is_set():
            moved = await self.tick()
            if moved < BATCH:
                await first_of(self._c.clock.sleep(self._c.settings.saga_poll), stop.wait())

    async def tick(self) -> int:
        """Sends again what is due and tells deadlines; returns how many sagas were due."""
        token = self._c.ids.token(12)
        async with self._c.database.transaction("saga_lease") as tx:
            due = await self._lease(tx, token)
        for id in due:
            await self._tick_one(id, token)
        return len(due)

    async def _lease(self, tx: Tx, token: str) -> list[str]:
        c = sagas.c
        due = sa.or_(c.next_attempt_at <= tx.time(), c.deadline_at <= tx.time())
        free = sa.or_(c.lease_until.is_(None), c.lease_until < tx.time())
        mine = sa.select(c.id).where(c.kind == self._definition.name, due, free).limit(BATCH)
        ids = [row.id for row in await tx.all(mine.with_for_update(skip_locked=True))]
        if ids:
            lease = {"lease_token": token, "lease_until": tx.time(self._c.settings.saga_lease)}
            await tx.execute(sa.update(sagas).where(c.id.in_(ids)).values(lease))
        return ids

    async def _tick_one(self, id: str, token: str) -> None:
        """One transaction each: a saga that cannot be moved does not hold up the others."""
        try:
            async with self._c.database.transaction("saga_tick") as tx:
                await self._tick_leased(tx, id, token)
        except Exception as error:
            self._log.error("saga_stuck", saga_id=id, exc_info=error)

    async def _tick_leased(self, tx: Tx, id: str, token: str) -> None:
        select = self._select(id).where(sagas.c.lease_token == token)
        over = sa.and_(sagas.c.deadline_at.is_not(None), sagas.c.deadline_at <= tx.time())
        due = sa.and_(sagas.c.next_attempt_at.is_not(None), sagas.c.next_attempt_at <= tx.time())
        marks = (over.label("over"), due.label("due"))
        row = await tx.one(select.add_columns(*marks).with_for_update())
        if row is None:
            return
        free = {"lease_token": None, "lease_until": None}
        if row.over:
            await self._apply(tx, row, Deadline(), {**free, "deadline_at": None})
        elif row.due:
            await self._update(tx, row, free | await self._again(tx, row))
        else:
            await self._update(tx, row, free)

    async def _again(self, tx: Tx, row: sa.Row[Any]) -> dict[str, Any]:
        attempt = row.attempt + 1
        await outbox.again(tx, row, attempt)
        tx.after_commit(self._c.metrics.saga_resends.labels(row.pending_type).inc)
        wait = self._schedule.after(attempt, tx.ids.random())
        now = tx.clock.now()
        return {"attempt": attempt, "last_attempt_at": now, "next_attempt_at": tx.time(wait)}


def _trace(row: sa.Row[Any]) -> str:
    """One saga, one trace: what a cancel or a deadline causes goes on where the saga was."""
    return row.traceparent if _is_elsewhere(row) else traces.current()


def _link(row: sa.Row[Any]) -> None:
    """From the trace of whoever told us to the saga's."""
    if _is_elsewhere(row):
        traces.here().link(row.traceparent)


def _is_elsewhere(row: sa.Row[Any]) -> bool:
    return traces.trace_id() != traces.trace_id(row.traceparent)


def _same_command(row: sa.Row[Any], send: Send | None) -> bool:
    wanted = None if send is None else (send.target, send.body.type_name())
    return wanted == (row.pending_target, row.pending_type)


def _state(row: sa.Row[Any]) -> SagaState:
    pending = None
    if row.pending_type is not None:
        next_at = row.next_attempt_at
        pending = Pending(row.pending_target, row.pending_type, row.attempt, next_at)
    return SagaState(row.id, row.state, row.data, row.created_at, row.deadline_at, pending)
