"""Stock changes: the guarded UPDATE and its movement, always together."""

import sqlalchemy as sa

from catalog.domain import Movement
from catalog.tables import stock, stock_movements
from shopkit.db import Tx


async def apply(tx: Tx, movement: Movement, *, cause_id: str, reason: str) -> bool:
    """False, and nothing changed, when less would be on the shelf than is promised."""
    if not await _guarded(tx, movement):
        return False
    row = {
        "cause_id": cause_id,
        "sku": movement.sku,
        "on_hand": movement.on_hand,
        "held": movement.held,
        "reason": reason,
        "created_at": tx.clock.now(),
    }
    await tx.execute(sa.insert(stock_movements).values(row))
    return True


async def _guarded(tx: Tx, movement: Movement) -> bool:
    """One statement checks and takes: two orders can never both get the last unit."""
    on_hand = stock.c.on_hand + movement.on_hand
    held = stock.c.held + movement.held
    statement = (
        sa.update(stock)
        .where(stock.c.sku == movement.sku, on_hand >= held, held >= 0)
        .values(on_hand=on_hand, held=held)
    )
    return (await tx.execute(statement)).rowcount == 1
