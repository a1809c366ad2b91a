"""Carts in the database. Whoever changes one holds its customer's row, so carts never race."""

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from orders.carts import Cart
from orders.tables import cart_lines, customers
from shopkit.db import Tx
from shopkit.errors import Problem, Slug

Change = Callable[[Cart], Cart]


class Leaving(Problem):
    """This customer is being forgotten: nothing new is taken."""

    def __init__(self) -> None:
        super().__init__(Slug.CONFLICT, "This account is being deleted.")


async def lock(tx: Tx, user_id: str) -> sa.Row[Any]:
    """Also serialises a customer's orders, whose number is limited, and their erasure."""
    await tx.insert_new(customers, {"user_id": user_id, "created_at": tx.clock.now()})
    row = sa.select(customers).where(customers.c.user_id == user_id)
    locked = await tx.one(row.with_for_update())
    assert locked is not None
    return locked


async def read(tx: Tx, user_id: str) -> Cart:
    lines = sa.select(cart_lines).where(cart_lines.c.user_id == user_id)
    rows = await tx.all(lines.order_by(cart_lines.c.position))
    return {row.sku: row.quantity for row in rows}


async def change(tx: Tx, user_id: str, how: Change) -> Cart:
    """The cart after `how`; raises Leaving."""
    if (await lock(tx, user_id)).erasing_since is not None:
        raise Leaving
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
