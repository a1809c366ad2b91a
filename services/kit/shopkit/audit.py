"""What an auditor may ask a service on its admin port; each service owns the SQL of its answers."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import sqlalchemy as sa
from fastapi import APIRouter, Query
from prometheus_client import Gauge
from pydantic import BaseModel, ConfigDict

from shopkit import state
from shopkit.auth import Ops
from shopkit.db import Tx
from shopkit.schema import dead_letters, outbox, sagas

if TYPE_CHECKING:
    from shopkit.app import Service

EVERY = 15.0
MOST_ROWS = 500
# A saga that is due and an outbox row that waits longer than this are forgotten, not late (I7).
SAGA_PATIENCE, OUTBOX_PATIENCE = 120.0, 30.0
_EXAMPLES = 20


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True)


class Violation(_Answer):
    """An invariant that does not hold; `subject` is the order, SKU or row that shows it."""

    invariant: str
    subject: str
    detail: str


class OpenWork(_Answer):
    """What keeps a service from being at rest, with some examples."""

    what: str
    count: int
    examples: tuple[str, ...] = ()


class DeadLetter(_Answer):
    consumer: str
    message_id: str
    type: str
    error: str
    count: int


class Report(_Answer):
    """`consumers`: whether the service handles messages and does its own work (CONSUMERS=on)."""

    service: str
    consumers: bool
    open: tuple[OpenWork, ...]
    dead_letters: tuple[DeadLetter, ...]
    violations: tuple[Violation, ...]


Check = Callable[[Tx], Awaitable[Sequence[Violation]]]
Work = Callable[[Tx], Awaitable[Sequence[OpenWork]]]
Facts = Callable[[Tx, str, int], Awaitable[Sequence[Mapping[str, Any]]]]


class FactPage(_Answer):
    """`after` of the next request; None = that was all."""

    items: list[dict[str, Any]]
    next_after: str | None


@dataclass(frozen=True)
class Audit:
    """`cheap` checks also run every 15 s and feed a gauge; `facts` are rows in the order of `key`,
    for what only a look at several services shows."""

    invariants: tuple[str, ...] = ()
    cheap: tuple[Check, ...] = ()
    thorough: tuple[Check, ...] = ()
    open: tuple[Work, ...] = ()
    facts: Facts | None = None
    key: str = "order_id"
    more: APIRouter = field(default_factory=APIRouter)


def install(service: "Service", audit: Audit) -> None:
    """Routes for `shop audit`, and the gauge that the operator and the alerts see."""
    service.admin_routes(_routes(service, audit))
    service.admin_routes(audit.more)
    gauge = Gauge(
        "shop_invariant_violations",
        "Rows that break an invariant, by the service's own checks",
        ["invariant"],
        registry=service.metrics.registry,
    )
    latest: dict[str, int] = {}
    service.admin_routes(state.routes(service, latest))
    checks, names = (overdue, *audit.cheap), ("I7", *audit.invariants)

    async def refresh() -> None:
        async with service.db.read() as tx:
            found = [violation for check in checks for violation in await check(tx)]
        latest.update({name: sum(v.invariant == name for v in found) for name in names})
        for name, count in latest.items():
            gauge.labels(name).set(count)

    service.every("audit", EVERY, refresh)


def _routes(service: "Service", audit: Audit) -> APIRouter:
    router = APIRouter(prefix="/internal/audit")

    @router.get("")
    async def report(_: Ops) -> Report:
        async with service.db.read() as tx:
            return await _report(tx, audit, consumers=service.settings.consumers)

    @router.get("/facts")
    async def facts(
        _: Ops, after: str = "", limit: Annotated[int, Query(ge=1, le=MOST_ROWS)] = MOST_ROWS
    ) -> FactPage:
        async with service.db.read() as tx:
            rows = [dict(row) for row in await audit.facts(tx, after, limit)] if audit.facts else []
        more = len(rows) == limit
        return FactPage(items=rows, next_after=str(rows[-1][audit.key]) if more else None)

    return router


async def _report(tx: Tx, audit: Audit, *, consumers: bool) -> Report:
    works = [work for find in (_sagas, _outbox, *audit.open) for work in await find(tx)]
    checks = (overdue, *audit.cheap, *audit.thorough)
    return Report(
        service=tx.service,
        consumers=consumers,
        open=tuple(work for work in works if work.count),
        dead_letters=await letters(tx),
        violations=tuple([violation for check in checks for violation in await check(tx)]),
    )


async def letters(tx: Tx) -> tuple[DeadLetter, ...]:
    """The worst first."""
    c = dead_letters.c
    columns = (c.consumer, c.message_id, c.type, c.error, c.count)
    rows = await tx.all(sa.select(*columns).order_by(c.count.desc()).limit(100))
    return tuple(DeadLetter.model_validate(dict(row._mapping)) for row in rows)


def is_unfinished() -> sa.ColumnElement[bool]:
    """A final saga has neither command nor deadline; one without a deadline may still send."""
    return sa.or_(sagas.c.pending_type.is_not(None), sagas.c.deadline_at.is_not(None))


async def _sagas(tx: Tx) -> Sequence[OpenWork]:
    rows = await tx.all(sa.select(sagas).where(is_unfinished()).order_by(sagas.c.created_at))
    examples = tuple(_saga(row) for row in rows[:_EXAMPLES])
    return [OpenWork(what="sagas", count=len(rows), examples=examples)]


def _saga(row: sa.Row[Any]) -> str:
    waits = f"waits for {row.pending_target} to answer {row.pending_type}"
    return f"{row.kind} {row.id} is {row.state}, {waits}, sent {row.attempt} times"


async def _outbox(tx: Tx) -> Sequence[OpenWork]:
    count = await tx.scalar(sa.select(sa.func.count()).select_from(outbox))
    return [OpenWork(what="messages in the outbox", count=count)]


async def overdue(tx: Tx) -> Sequence[Violation]:
    """I7: nobody looks after a saga or a message any more."""
    late = tx.time(-SAGA_PATIENCE)
    due = sa.or_(sagas.c.next_attempt_at < late, sagas.c.deadline_at < late)
    forgotten = await tx.all(sa.select(sagas.c.id, sagas.c.state).where(due))
    unsent = outbox.c.created_at < tx.clock.now() - timedelta(seconds=OUTBOX_PATIENCE)
    waiting = await tx.all(sa.select(outbox.c.id, outbox.c.type).where(unsent).limit(_EXAMPLES))
    stuck = [_forgotten(row.id, f"{row.state}, due, not tried for 2 min") for row in forgotten]
    unsent_long = [_forgotten(row.id, f"{row.type} not published for 30 s") for row in waiting]
    return [*stuck, *unsent_long]


def _forgotten(subject: str, detail: str) -> Violation:
    return Violation(invariant="I7", subject=subject, detail=detail)


def violations(
    rows: Sequence[sa.Row[Any]], invariant: str, detail: Callable[[sa.Row[Any]], str]
) -> Sequence[Violation]:
    """Each row breaks the invariant; its first column is the subject."""
    return [Violation(invariant=invariant, subject=str(row[0]), detail=detail(row)) for row in rows]
