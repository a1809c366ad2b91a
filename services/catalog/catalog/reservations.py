"""Handlers of ReserveStock, ReleaseStock and CommitStock: one row per order decides all."""

from collections.abc import Callable, Sequence
from typing import Any

import sqlalchemy as sa

from catalog import domain, movements
from catalog.domain import Hold, InvariantViolation, Line, Movement, Reason
from catalog.messages import (
    CommitStock,
    ReleaseStock,
    ReserveStock,
    StockCommitted,
    StockRejected,
    StockReleased,
    StockReserved,
)
from catalog.tables import products, reservation_lines, reservations
from shopkit.db import Tx
from shopkit.messages import Body, Command


class _NoStock(Exception):
    """Ends the savepoint, so that a rejected order holds nothing."""

    def __init__(self, sku: str) -> None:
        self.sku = sku


async def reserve(tx: Tx, command: Command[ReserveStock]) -> None:
    """All lines or none; a row that exists, a tombstone included, is left as it is."""
    order_id = command.body.order_id
    if not await tx.insert_new(reservations, _row(tx, order_id, Hold.HELD)):
        return
    lines = domain.merged(Line(line.sku, line.quantity) for line in command.body.lines)
    try:
        async with tx.savepoint():
            await _hold(tx, command, lines)
    except _NoStock as none:
        reason = Reason.OUT_OF_STOCK if await _is_sold(tx, none.sku) else Reason.UNKNOWN_PRODUCT
        why = {"rejected_sku": none.sku, "reason": reason.value}
        await _change(tx, order_id, Hold.REJECTED, why)


async def release(tx: Tx, command: Command[ReleaseStock]) -> None:
    """Leaves a tombstone when it comes first."""
    order_id = command.body.order_id
    tombstone = _row(tx, order_id, Hold.RELEASED) | {"reason": Reason.RELEASED.value}
    if not await tx.insert_new(reservations, tombstone):
        await _move_on(tx, command, domain.Command.RELEASE, domain.released)


async def commit(tx: Tx, command: Command[CommitStock]) -> None:
    """Raises InvariantViolation without a hold: that must reach people, never pass silently."""
    await _move_on(tx, command, domain.Command.COMMIT, domain.committed)


async def reserve_answer(tx: Tx, command: Command[ReserveStock]) -> Body | None:
    order_id = command.body.order_id
    row = await _reservation(tx, order_id)
    if domain.reply(domain.Command.RESERVE, Hold(row.status)) is domain.Reply.RESERVED:
        return StockReserved(order_id=order_id)
    sku = row.rejected_sku or command.body.lines[0].sku
    return StockRejected(order_id=order_id, sku=sku, reason=row.reason or Reason.RELEASED.value)


async def release_answer(_: Tx, command: Command[ReleaseStock]) -> Body | None:
    return StockReleased(order_id=command.body.order_id)


async def commit_answer(_: Tx, command: Command[CommitStock]) -> Body | None:
    return StockCommitted(order_id=command.body.order_id)


async def _hold(tx: Tx, command: Command[ReserveStock], lines: Sequence[Line]) -> None:
    order_id = command.body.order_id
    for line in lines:
        reason = domain.Command.RESERVE.value
        if not await movements.apply(tx, domain.held(line), cause_id=command.id, reason=reason):
            raise _NoStock(line.sku)
    rows = [{"order_id": order_id, "sku": x.sku, "quantity": x.quantity} for x in lines]
    await tx.execute(sa.insert(reservation_lines), rows)


async def _move_on(
    tx: Tx, command: Command[Any], kind: domain.Command, movement: Callable[[Line], Movement]
) -> None:
    order_id = command.body.order_id
    row = await tx.one(_select(order_id).with_for_update())
    target = domain.after(kind, Hold(row.status) if row else None)
    if target is None:
        return
    for line in await _lines(tx, order_id):
        moved = movement(line)
        if not await movements.apply(tx, moved, cause_id=command.id, reason=kind.value):
            raise InvariantViolation(f"{kind} finds less of {line.sku} held than its lines say")
    await _change(tx, order_id, target)


async def _lines(tx: Tx, order_id: str) -> Sequence[Line]:
    """In SKU order, so that no two transactions wait for each other."""
    held = sa.select(reservation_lines).where(reservation_lines.c.order_id == order_id)
    return domain.merged(Line(row.sku, row.quantity) for row in await tx.all(held))


async def _change(
    tx: Tx, order_id: str, status: Hold, values: dict[str, Any] | None = None
) -> None:
    changed = {"status": status.value, "updated_at": tx.clock.now(), **(values or {})}
    mine = sa.update(reservations).where(reservations.c.order_id == order_id)
    await tx.execute(mine.values(changed))


async def _reservation(tx: Tx, order_id: str) -> sa.Row[Any]:
    row = await tx.one(_select(order_id))
    if row is None:
        raise InvariantViolation(f"order {order_id} was handled but has no reservation")
    return row


def _select(order_id: str) -> sa.Select[Any]:
    return sa.select(reservations).where(reservations.c.order_id == order_id)


async def _is_sold(tx: Tx, sku: str) -> bool:
    return await tx.one(sa.select(products.c.sku).where(products.c.sku == sku)) is not None


def _row(tx: Tx, order_id: str, status: Hold) -> dict[str, Any]:
    now = tx.clock.now()
    return {"order_id": order_id, "status": status.value, "created_at": now, "updated_at": now}
