"""What catalog can tell about its own rows (I4, I9), and what it did for each order."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from catalog.domain import Command, Hold
from catalog.tables import reservation_lines, reservations, stock, stock_movements
from shopkit.audit import Audit, Violation, violations
from shopkit.db import Tx
from shopkit.messages import command_id

TARGET = "catalog"
Moves = Mapping[str, tuple[int, int]]  # SKU -> (on_hand, held)

# What an order in this state has done to the shelf, as multiples of its lines.
EFFECTS: Mapping[Hold, Mapping[Command, tuple[int, int]]] = {
    Hold.HELD: {Command.RESERVE: (0, 1)},
    Hold.REJECTED: {},
    Hold.RELEASED: {Command.RESERVE: (0, 1), Command.RELEASE: (0, -1)},
    Hold.COMMITTED: {Command.RESERVE: (0, 1), Command.COMMIT: (-1, -1)},
}


async def shelves(tx: Tx) -> Sequence[Violation]:
    """I4: 0 <= held <= on_hand, and both are what the movements and the holds add up to."""
    moved, promised = _moved(), _promised()
    query = (
        sa.select(stock, _or_0(moved.c.on_hand, "moved"), _or_0(moved.c.held, "moved_held"))
        .add_columns(_or_0(promised.c.quantity, "promised"))
        .outerjoin_from(stock, moved, moved.c.sku == stock.c.sku)
        .outerjoin(promised, promised.c.sku == stock.c.sku)
    )
    wrong = [row for row in await tx.all(query) if not _adds_up(row)]
    return violations(wrong, "I4", _shelf)


def _or_0(column: sa.ColumnElement[Any], name: str) -> sa.Label[Any]:
    return sa.func.coalesce(column, 0).label(name)


def _adds_up(row: sa.Row[Any]) -> bool:
    same = (row.on_hand, row.held) == (row.moved, row.moved_held) and row.held == row.promised
    return same and 0 <= row.held <= row.on_hand


def _shelf(row: sa.Row[Any]) -> str:
    return (
        f"{row.on_hand} on the shelf and {row.held} held; its movements say {row.moved} and"
        f" {row.moved_held}, its orders hold {row.promised}"
    )


def _moved() -> sa.Subquery:
    c = stock_movements.c
    sums = sa.func.sum(c.on_hand).label("on_hand"), sa.func.sum(c.held).label("held")
    return sa.select(c.sku, *sums).group_by(c.sku).subquery("moved")


def _promised() -> sa.Subquery:
    line, order = reservation_lines.c, reservations.c
    total = sa.func.sum(line.quantity).label("quantity")
    held = sa.select(line.sku, total).join_from(reservation_lines, reservations)
    return held.where(order.status == Hold.HELD.value).group_by(line.sku).subquery("promised")


async def causes(tx: Tx) -> Sequence[Violation]:
    """I9: each command moved what its order's row says, once; nothing else moved stock."""
    expected = await _expected(tx)
    found = await _movements(tx)
    return [
        Violation(invariant="I9", subject=cause, detail=f"moved {found.get(cause)}, not {moves}")
        for cause, moves in {**dict.fromkeys(found), **expected}.items()
        if (moves or {}) != found.get(cause, {})
    ]


async def _expected(tx: Tx) -> dict[str, Moves]:
    """By cause; a delivery or loss counted by a person is its own cause."""
    lines = await _lines(tx, sa.true())
    causes: dict[str, Moves] = {}
    for row in await tx.all(sa.select(reservations)):
        causes |= _effects(row.order_id, Hold(row.status), lines.get(row.order_id, {}))
    return causes


def _effects(order_id: str, status: Hold, lines: Mapping[str, int]) -> dict[str, Moves]:
    """A tombstone has no lines, so it moved nothing."""
    return {
        command_id(order_id, TARGET, command): {
            sku: (on_hand * count, held * count) for sku, count in lines.items()
        }
        for command, (on_hand, held) in EFFECTS[status].items()
        if lines
    }


async def _movements(tx: Tx) -> dict[str, dict[str, tuple[int, int]]]:
    """Of commands alone."""
    c = stock_movements.c
    found: dict[str, dict[str, tuple[int, int]]] = defaultdict(dict)
    of_commands = c.reason.in_([command.value for command in Command])
    for row in await tx.all(sa.select(stock_movements).where(of_commands)):
        found[row.cause_id][row.sku] = (row.on_hand, row.held)
    return found


async def _lines(tx: Tx, which: sa.ColumnElement[bool]) -> dict[str, dict[str, int]]:
    lines: dict[str, dict[str, int]] = defaultdict(dict)
    for row in await tx.all(sa.select(reservation_lines).where(which)):
        lines[row.order_id][row.sku] = row.quantity
    return lines


async def facts(tx: Tx, after: str, limit: int) -> Sequence[Mapping[str, Any]]:
    """Each order's reservation, its lines and what it moved in all."""
    query = sa.select(reservations).order_by(reservations.c.order_id).limit(limit)
    rows = await tx.all(query.where(reservations.c.order_id > after) if after else query)
    ids = [row.order_id for row in rows]
    lines = await _lines(tx, reservation_lines.c.order_id.in_(ids))
    moved = await _moved_by(tx, ids)
    return [
        {
            "order_id": row.order_id,
            "status": row.status,
            "lines": lines.get(row.order_id, {}),
            "moved": moved.get(row.order_id, {}),
        }
        for row in rows
    ]


async def _moved_by(tx: Tx, ids: Iterable[str]) -> dict[str, dict[str, tuple[int, int]]]:
    owner = {command_id(id, TARGET, command): id for id in ids for command in Command}
    moved: dict[str, dict[str, tuple[int, int]]] = defaultdict(dict)
    mine = stock_movements.c.cause_id.in_(owner)
    for row in await tx.all(sa.select(stock_movements).where(mine)):
        on_hand, held = moved[owner[row.cause_id]].get(row.sku, (0, 0))
        moved[owner[row.cause_id]][row.sku] = (on_hand + row.on_hand, held + row.held)
    return moved


AUDIT = Audit(invariants=("I4",), cheap=(shelves,), thorough=(causes,), facts=facts)
