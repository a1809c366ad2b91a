"""From a quote to an order: all of it in the transaction of the idempotency row, or nothing."""

from dataclasses import dataclass
from datetime import datetime

from orders import cart_store, carts, domain, order_store, views
from orders.domain import PLACED, Purchase, State
from orders.quotes import Quote, Quotes
from shopkit.db import Tx
from shopkit.engine import SagaEngine
from shopkit.errors import Problem, Slug


@dataclass(frozen=True)
class Checkout:
    """`most_open`: how many unfinished orders one customer may have."""

    quotes: Quotes
    engine: SagaEngine
    most_open: int

    async def place(self, tx: Tx, user_id: str, wanted: views.NewOrder) -> views.Order:
        """Raises the Problem that says why not."""
        quote = self.quotes.read(wanted.quote)
        order_id, now = tx.ids.uuid7(), tx.clock.now()
        await cart_store.change(tx, user_id, lambda cart: carts.ordered(cart, quote.wanted()))
        await self._insert(tx, order_id, user_id, quote, now)
        purchase = _purchase(user_id, wanted, quote)
        await self.engine.start(tx, order_id, domain.first(order_id, purchase))
        await order_store.append(tx, order_id, PLACED, State.RESERVING, now)
        return _placed(order_id, quote, now)

    async def _insert(
        self, tx: Tx, order_id: str, user_id: str, quote: Quote, now: datetime
    ) -> None:
        if not await order_store.insert(tx, order_id, user_id, quote, now):
            raise Problem(Slug.QUOTE_USED, "A new order needs a new quote.")
        # The customer's row is locked since the cart was changed, so nobody else counts now.
        if await order_store.count_open(tx, user_id) > self.most_open:
            detail = f"Wait until one of your {self.most_open} open orders has ended."
            raise Problem(Slug.RATE_LIMITED, detail, headers={"Retry-After": "5"})


def _purchase(user_id: str, wanted: views.NewOrder, quote: Quote) -> Purchase:
    method = str(wanted.payment_method_id)
    return Purchase(user_id, method, quote.total, quote.currency, quote.wanted())


def _placed(order_id: str, quote: Quote, now: datetime) -> views.Order:
    """As a later GET shows it, without reading it back."""
    return views.Order(
        id=order_id,
        state=State.RESERVING,
        total=views.Money(amount=quote.total, currency=quote.currency),
        lines=[
            views.OrderLine.model_validate(line, from_attributes=True)
            for line in sorted(quote.lines, key=lambda line: line.sku)
        ],
        timeline=[views.Happened(at=now, event=PLACED.event, detail=PLACED.detail)],
        action_url=None,
        cancel_reason=None,
        created_at=now,
    )
