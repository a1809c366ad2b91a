"""Forgets a user: no new orders at once, and who ordered what as soon as no order is open."""

from typing import Any

import sqlalchemy as sa

from orders import cart_store, order_store
from orders.messages import EraseUser, UserErased
from orders.tables import cart_lines, customers, orders
from shopkit import idempotency
from shopkit.db import Tx
from shopkit.messages import Body, Command
from shopkit.schema import sagas

SERVICE = "orders"
# Whose orders those of all forgotten customers are.
NOBODY = "00000000-0000-0000-0000-000000000000"


async def begin(tx: Tx, command: Command[EraseUser]) -> None:
    """From here on the customer's row says that nothing new is taken."""
    user_id = command.body.user_id
    await cart_store.lock(tx, user_id)
    await _mark(tx, user_id, erasing_since=tx.clock.now())


async def answer(tx: Tx, command: Command[EraseUser]) -> Body | None:
    """None while an order is open: EraseUser is sent again until then."""
    user_id = command.body.user_id
    customer = await cart_store.lock(tx, user_id)
    if customer.erased_at is None:
        if await order_store.count_open(tx, user_id):
            return None
        await _forget(tx, user_id)
    return UserErased(user_id=user_id, service=SERVICE)


async def _forget(tx: Tx, user_id: str) -> None:
    await tx.insert_new(customers, {"user_id": NOBODY, "created_at": tx.clock.now()})
    mine = sa.select(orders.c.id).where(orders.c.user_id == user_id)
    for row in await tx.all(sa.select(sagas.c.id, sagas.c.data).where(sagas.c.id.in_(mine))):
        data = {**row.data, "user_id": NOBODY, "payment_method_id": NOBODY}
        await tx.execute(sa.update(sagas).where(sagas.c.id == row.id).values(data=data))
    await tx.execute(sa.update(orders).where(orders.c.user_id == user_id).values(user_id=NOBODY))
    await tx.execute(sa.delete(cart_lines).where(cart_lines.c.user_id == user_id))
    await idempotency.forget(tx, user_id)
    await _mark(tx, user_id, erased_at=tx.clock.now())


async def _mark(tx: Tx, user_id: str, **values: Any) -> None:
    await tx.execute(sa.update(customers).where(customers.c.user_id == user_id).values(values))
