"""Orders and their timelines in the database."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from orders import views
from orders.domain import FINAL, Entry, State
from orders.quotes import Quote
from orders.tables import order_lines, orders, timeline
from shopkit.db import Tx

Row = sa.Row[Any]


async def insert(tx: Tx, order_id: str, user_id: str, quote: Quote, now: datetime) -> bool:
    """False when an order for this quote exists."""
    row = {
        "id": order_id,
        "user_id": user_id,
        "quote_id": str(quote.id),
        "state": State.RESERVING,
        "total": quote.total,
        "currency": quote.currency,
        "created_at": now,
        "updated_at": now,
    }
    if not await tx.insert_new(orders, row):
        return False
    lines = [{"order_id": order_id, **line.model_dump()} for line in quote.lines]
    await tx.execute(sa.insert(order_lines), lines)
    return True


async def count_open(tx: Tx, user_id: str) -> int:
    still_open = sa.and_(orders.c.user_id == user_id, orders.c.state.not_in(FINAL))
    return int(await tx.scalar(sa.select(sa.func.count()).select_from(orders).where(still_open)))


async def update(tx: Tx, order_id: str, state: State, data: Mapping[str, Any]) -> None:
    url = data.get("action_url") if state is State.PAYMENT_ACTION else None
    values = {
        "state": state,
        "action_url": url,
        "cancel_reason": data.get("cancel_reason"),
        "updated_at": tx.clock.now(),
    }
    await tx.execute(sa.update(orders).where(orders.c.id == order_id).values(values))


async def append(tx: Tx, order_id: str, entry: Entry, state: State, at: datetime) -> None:
    """The caller's lock on the saga (or the new order) makes the numbers gapless."""
    last = sa.func.coalesce(sa.func.max(timeline.c.number), 0)
    number = sa.select(last + 1).where(timeline.c.order_id == order_id).scalar_subquery()
    row = {
        "order_id": order_id,
        "number": number,
        "at": at,
        "event": entry.event,
        "detail": entry.detail,
        "state": state,
    }
    await tx.execute(sa.insert(timeline).values(row))


async def find(tx: Tx, order_id: str, user_id: str) -> Row | None:
    """None too for an order of somebody else: its existence is nobody's business."""
    mine = sa.and_(orders.c.id == order_id, orders.c.user_id == user_id)
    return await tx.one(sa.select(orders).where(mine))


async def state(tx: Tx, order_id: str) -> State:
    return State(await tx.scalar(sa.select(orders.c.state).where(orders.c.id == order_id)))


async def page(tx: Tx, user_id: str, before: str | None, limit: int) -> Sequence[Row]:
    """Newest first: order ids sort by time."""
    mine = sa.select(orders).where(orders.c.user_id == user_id)
    if before is not None:
        mine = mine.where(orders.c.id < before)
    return await tx.all(mine.order_by(orders.c.id.desc()).limit(limit))


async def happened_after(tx: Tx, order_id: str, number: int) -> Sequence[Row]:
    later = sa.and_(timeline.c.order_id == order_id, timeline.c.number > number)
    return await tx.all(sa.select(timeline).where(later).order_by(timeline.c.number))


async def show(tx: Tx, rows: Iterable[Row]) -> list[views.Order]:
    """Two queries, however many orders."""
    rows = list(rows)
    ids = [row.id for row in rows]
    lines = await _grouped(tx, order_lines, order_lines.c.sku, ids)
    happened = await _grouped(tx, timeline, timeline.c.number, ids)
    return [_order(row, lines[row.id], happened[row.id]) for row in rows]


async def _grouped(
    tx: Tx, table: sa.Table, order: sa.Column[Any], ids: list[str]
) -> Mapping[str, list[Row]]:
    found = await tx.all(sa.select(table).where(table.c.order_id.in_(ids)).order_by(order))
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in found:
        groups[row.order_id].append(row)
    return groups


def _order(row: Row, lines: Iterable[Row], happened: Iterable[Row]) -> views.Order:
    return views.Order(
        id=row.id,
        state=row.state,
        total=views.Money(amount=row.total, currency=row.currency),
        lines=[views.OrderLine.model_validate(line, from_attributes=True) for line in lines],
        timeline=[views.Happened.model_validate(item, from_attributes=True) for item in happened],
        action_url=row.action_url,
        cancel_reason=row.cancel_reason,
        created_at=row.created_at,
    )
