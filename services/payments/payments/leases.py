"""Rows that one worker at a time may carry forward; time is the database's."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from shopkit.db import Tx

Values = dict[str, Any]
FREE: Values = {"lease_token": None, "lease_until": None}
DONE: Values = {**FREE, "next_attempt_at": None}


async def take(
    tx: Tx, table: sa.Table, *, token: str, seconds: float, limit: int
) -> Sequence[sa.Row[Any]]:
    """The oldest due rows that nobody works on, leased; `attempt` counts this one."""
    unleased = sa.or_(table.c.lease_until.is_(None), table.c.lease_until <= tx.time())
    due = (
        sa.select(table.c.id)
        .where(table.c.next_attempt_at <= tx.time(), unleased)
        .order_by(table.c.next_attempt_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
        .cte("due")
    )
    leased = {"lease_token": token, "lease_until": tx.time(seconds), "attempt": table.c.attempt + 1}
    statement = sa.update(table).where(table.c.id.in_(sa.select(due.c.id)))
    return await tx.all(statement.values(leased).returning(table))


async def postpone(
    tx: Tx, table: sa.Table, id: str, *, token: str, seen: datetime, seconds: float
) -> None:
    """Frees the row for later, unless a cancel or webhook moved it nearer since it was taken."""
    moved = table.c.next_attempt_at != seen
    later = sa.case((moved, table.c.next_attempt_at), else_=tx.time(seconds))
    statement = sa.update(table).where(table.c.id == id, table.c.lease_token == token)
    await tx.execute(statement.values({**FREE, "next_attempt_at": later}))


def backoff(attempt: int, *, first: float, longest: float, chance: float) -> float:
    """Seconds, doubling from `first` to `longest`; `chance` in [0, 1) takes off up to half."""
    doubled = first * 2.0 ** min(attempt - 1, 30)
    return min(longest, doubled) * (1 - chance / 2)
