"""The saga's definition for the engine: the pure decisions, and the rows that change with them."""

from contextlib import suppress
from typing import Any

from orders import cart_store, carts, domain, order_store
from orders.domain import FINAL, WITHOUT_SALE, Purchase, State
from orders.messages import REPLIES
from orders.watching import Watching
from shopkit.db import Tx
from shopkit.messages import Body
from shopkit.saga import SagaState, Transition


class OrderSaga:
    name = "order"
    replies: tuple[type[Body], ...] = REPLIES
    final: frozenset[str] = frozenset(FINAL)

    def __init__(self, watching: Watching) -> None:
        self._watching = watching

    def decide(self, saga: SagaState, message: object) -> Transition | None:
        return domain.decide(saga, message)

    def id_of(self, reply: Any) -> str:
        return str(reply.order_id)

    async def record(
        self, tx: Tx, saga: SagaState, message: object, transition: Transition | None
    ) -> None:
        before = State(saga.state)
        after = State(transition.state) if transition else before
        entry = domain.entry(before, message, ignored=transition is None)
        if entry:
            await order_store.append(tx, saga.id, entry, after, tx.clock.now())
        if transition:
            await order_store.update(tx, saga.id, after, {**saga.data, **transition.data})
        if transition and after in WITHOUT_SALE:
            await _back_into_the_cart(tx, Purchase.of(saga.data))
        tx.after_commit(lambda: self._watching.changed(saga.id))


async def _back_into_the_cart(tx: Tx, purchase: Purchase) -> None:
    with suppress(cart_store.Leaving):
        await cart_store.change(
            tx, purchase.user_id, lambda cart: carts.returned(cart, purchase.lines)
        )
