"""Carts in the database. Whoever changes one holds its customer's row, so carts never race."""

from collections.abc import Callable

import sqlalchemy as sa

from orders.carts import Cart
from orders.tables import cart_lines, customers
from shopkit.db import Tx

Change = Callable[[Cart], Cart]


async def lock(tx: Tx, user_id: str) -> None:
    """Also serialises a customer's orders, whose number is limited."""
    await tx.insert_new(customers, {"user_id": user_id, "created_at": tx.clock.now()})
    row = sa.select(customers.c.user_id).where(customers.c.user_id == user_id)
    await tx.execute(row.with_for_update())


async def read(tx: Tx, user_id: str) -> Cart:
    lines = sa.select(cart_lines).where(cart_lines.c.user_id == user_id)
    rows = await tx.all(lines.order_by(cart_lines.c.position))
    return {row.sku: row.quantity for row in rows}


async def change(tx: Tx, user_id: str, how: Change) -> Cart:
    """The cart after `how`."""
    await lock(tx, user_id)
    before = await read(tx, user_id)
    after = how(before)
    if dict(after) != dict(before):
        await _write(tx, user_id, after)
    return after


async def _write(tx: Tx, user_id: str, cart: Cart) -> None:
    await tx.execute(sa.delete(cart_lines).where(cart_lines.c.user_id == user_id))
    if rows := _rows(user_id, cart):
        await tx.execute(sa.insert(cart_lines), rows)


def _rows(user_id: str, cart: Cart) -> list[dict[str, object]]:
    return [
        {"user_id": user_id, "sku": sku, "quantity": quantity, "position": position}
        for position, (sku, quantity) in enumerate(cart.items())
    ]
