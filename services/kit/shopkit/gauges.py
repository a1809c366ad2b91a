"""Numbers that are rows: counted now and then, not kept in memory."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from prometheus_client import Gauge

from shopkit.db import Tx
from shopkit.metrics import Metrics
from shopkit.schema import dead_letters, outbox, sagas


async def refresh(tx: Tx, metrics: Metrics) -> None:
    await _outbox(tx, metrics)
    await _dead_letters(tx, metrics)
    await _sagas(tx, metrics)


async def waiting(tx: Tx) -> tuple[int, float]:
    """Messages not published yet, and the age of the oldest in seconds."""
    oldest = sa.func.min(outbox.c.created_at)
    row = await tx.one(sa.select(sa.func.count().label("pending"), oldest.label("oldest")))
    return (row.pending, _age(tx, row.oldest)) if row is not None else (0, 0.0)


async def _outbox(tx: Tx, metrics: Metrics) -> None:
    pending, age = await waiting(tx)
    metrics.outbox_pending.set(pending)
    metrics.outbox_oldest.set(age)


async def _dead_letters(tx: Tx, metrics: Metrics) -> None:
    c = dead_letters.c
    letters, most = sa.func.count().label("letters"), sa.func.max(c.count).label("most")
    rows = await tx.all(sa.select(c.type, letters, most).group_by(c.type))
    _replace(metrics.dead_letters, {row.type: row.letters for row in rows})
    _replace(metrics.dead_letter_max_count, {row.type: row.most for row in rows})


async def unfinished(tx: Tx) -> dict[str, tuple[int, float]]:
    """State -> how many sagas are in it, and the age of the oldest in seconds."""
    c = sagas.c
    open_ones = sa.or_(c.pending_type.is_not(None), c.deadline_at.is_not(None))
    active, oldest = sa.func.count().label("active"), sa.func.min(c.created_at).label("oldest")
    rows = await tx.all(sa.select(c.state, active, oldest).where(open_ones).group_by(c.state))
    return {row.state: (row.active, _age(tx, row.oldest)) for row in rows}


async def _sagas(tx: Tx, metrics: Metrics) -> None:
    found = await unfinished(tx)
    _replace(metrics.saga_active, {state: count for state, (count, _) in found.items()})
    _replace(metrics.saga_oldest, {state: age for state, (_, age) in found.items()})


def _replace(gauge: Gauge, values: dict[Any, float]) -> None:
    """A label that no row has any more must not keep its last value."""
    gauge.clear()
    for label, value in values.items():
        gauge.labels(label).set(value)


def _age(tx: Tx, since: datetime | None) -> float:
    return 0.0 if since is None else max(0.0, (tx.clock.now() - since).total_seconds())
