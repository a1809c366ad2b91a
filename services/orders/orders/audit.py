"""What orders can tell about its own rows (I8), and how each order ended."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from fastapi import APIRouter

from orders.domain import FINAL
from orders.tables import customers, order_lines, orders
from shopkit.audit import MOST_ROWS, Audit, FactPage, OpenWork, Violation, violations
from shopkit.auth import Ops
from shopkit.db import Tx
from shopkit.http import Db
from shopkit.schema import sagas


async def totals(tx: Tx) -> Sequence[Violation]:
    """I8: what the customer was promised is the sum of the lines."""
    line = order_lines.c
    per_order = sa.func.sum(line.quantity * line.unit_price).label("amount")
    sums = sa.select(line.order_id, per_order).group_by(line.order_id).subquery()
    query = sa.select(orders.c.id, orders.c.total, sa.func.coalesce(sums.c.amount, 0).label("sum"))
    joined = query.outerjoin_from(orders, sums, sums.c.order_id == orders.c.id)
    wrong = joined.where(orders.c.total != sa.func.coalesce(sums.c.amount, 0))
    return violations(
        await tx.all(wrong), "I8", lambda row: f"total {row.total}, its lines add up to {row.sum}"
    )


async def charged_as_ordered(tx: Tx) -> Sequence[Violation]:
    """I8: the saga asks payments for the same amount, in the same currency."""
    query = sa.select(orders.c.id, orders.c.total, orders.c.currency, sagas.c.data)
    rows = await tx.all(query.join_from(orders, sagas, sagas.c.id == orders.c.id))
    wrong = [r for r in rows if (r.data["total"], r.data["currency"]) != (r.total, r.currency)]
    return violations(wrong, "I8", _asked)


def _asked(row: sa.Row[Any]) -> str:
    return f"the saga asks for {row.data['total']} {row.data['currency']}, not {row.total}"


async def not_ended(tx: Tx) -> Sequence[OpenWork]:
    """An order says what its saga says; one without a saga would wait for ever."""
    query = sa.select(orders.c.id, orders.c.state).where(orders.c.state.not_in(FINAL))
    rows = await tx.all(query.order_by(orders.c.created_at))
    examples = tuple(f"{row.id} is {row.state}" for row in rows[:20])
    return [OpenWork(what="orders", count=len(rows), examples=examples)]


async def facts(tx: Tx, after: str, limit: int) -> Sequence[Mapping[str, Any]]:
    query = sa.select(orders).order_by(orders.c.id).limit(limit)
    rows = await tx.all(query.where(orders.c.id > after) if after else query)
    lines = await _lines(tx, [row.id for row in rows])
    return [
        {
            "order_id": row.id,
            "user_id": row.user_id,
            "state": row.state,
            "total": row.total,
            "currency": row.currency,
            "lines": lines[row.id],
        }
        for row in rows
    ]


async def _lines(tx: Tx, ids: Sequence[str]) -> dict[str, dict[str, int]]:
    lines: dict[str, dict[str, int]] = defaultdict(dict)
    for row in await tx.all(sa.select(order_lines).where(order_lines.c.order_id.in_(ids))):
        lines[row.order_id][row.sku] = row.quantity
    return lines


erased = APIRouter(prefix="/internal/erased")


@erased.get("")
async def forgotten(_: Ops, db: Db, after: str = "") -> FactPage:
    """Whom orders was asked to forget, and has forgotten."""
    c = customers.c
    gone = sa.select(c.user_id).where(c.erased_at.is_not(None)).order_by(c.user_id)
    async with db.read() as tx:
        page = gone.where(c.user_id > after) if after else gone
        rows = await tx.all(page.limit(MOST_ROWS))
    items = [{"user_id": row.user_id} for row in rows]
    return FactPage(items=items, next_after=rows[-1].user_id if len(rows) == MOST_ROWS else None)


AUDIT = Audit(
    invariants=("I8",),
    cheap=(totals,),
    thorough=(charged_as_ordered,),
    open=(not_ended,),
    facts=facts,
    more=erased,
)
