"""`shop order`: one whole order over HTTP, from registering to its end."""

import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from shop.customer import FINAL, Credentials, Json, ShopError, Visitor, visiting

Say = Callable[[str], None]
POLL = 0.5


@dataclass(frozen=True, slots=True)
class Wish:
    """What to buy and how to pay; "" = the first product that is in stock."""

    sku: str = ""
    quantity: int = 1
    card: str = "tok_ok"
    patience: float = 120


def place(url: str, wish: Wish, say: Say) -> Json:
    """The order at its end, the customer, and the stock of its product before and after."""
    with visiting(url) as visitor:
        email = _join(visitor, say)
        product = _choose(visitor, wish, say)
        order = _check_out(visitor, product, wish, say)
        order = _follow(visitor, order["id"], wish.patience, say)
        after = visitor.call("GET", f"/products/{product['sku']}")["available"]
        stock = {"sku": product["sku"], "before": product["available"], "after": after}
        say(f"stock of {product['title']}: {stock['before']} before, {stock['after']} after")
        return {"order": order, "customer": email, "stock": stock}


def _join(visitor: Visitor, say: Say) -> str:
    who = Credentials(f"customer-{uuid.uuid4().hex[:12]}@shop.example", uuid.uuid4().hex)
    visitor.register(who, "Robin Example")
    visitor.sign_in(who)
    say(f"registered and signed in as {who.email}")
    return who.email


def _choose(visitor: Visitor, wish: Wish, say: Say) -> Json:
    if wish.sku:
        product: Json = visitor.call("GET", f"/products/{wish.sku}")
    else:
        items = visitor.call("GET", "/products?limit=100")["items"]
        plenty = [item for item in items if item["available"] >= max(wish.quantity, 2)]
        if not plenty:
            raise ShopError("Nothing is in stock; run `shop seed` first.")
        # Spreads orders that run at the same time over the shelves.
        product = plenty[uuid.uuid4().int % len(plenty)]
    visitor.call("PUT", f"/cart/items/{product['sku']}", {"quantity": wish.quantity})
    say(f"put {wish.quantity} x {product['title']} into the cart")
    return product


def _check_out(visitor: Visitor, product: Json, wish: Wish, say: Say) -> Json:
    """The quote's id is the idempotency key: this quote can only become one order."""
    lines = visitor.call("GET", "/cart")["lines"]
    quote = visitor.call("POST", "/quotes", {"lines": lines})
    card = {"token": wish.card, "label": f"Test card {wish.card}"}
    method = visitor.call("POST", "/payment-methods", card, key=str(uuid.uuid4()))
    body = {"quote": quote["quote"], "payment_method_id": method["id"]}
    order: Json = visitor.call("POST", "/orders", body, key=quote["quote_id"])
    say(f"ordered for {amount(quote['total'])}, paying with {wish.card}: order {order['id']}")
    return order


def _follow(visitor: Visitor, order_id: str, patience: float, say: Say) -> Json:
    """Reads the order again at each event; a stream that ends early is opened again."""
    shown, until = 0, time.monotonic() + patience
    while True:
        for _ in _ticks(visitor, order_id):
            order: Json = visitor.call("GET", f"/orders/{order_id}")
            for entry in order["timeline"][shown:]:
                say(timeline_line(entry))
            shown = len(order["timeline"])
            if order["state"] in FINAL:
                say(f"the order is {order['state']}")
                return order
            if time.monotonic() > until:
                raise ShopError(
                    f"Order {order_id} is still {order['state']} after {patience:.0f} s."
                )
        time.sleep(POLL)


def _ticks(visitor: Visitor, order_id: str) -> Iterator[str]:
    yield "first look"
    yield from visitor.events(order_id)
    yield "the stream ended"


def timeline_line(entry: Json) -> str:
    detail = f"  ({entry['detail']})" if entry.get("detail") else ""
    return f"  {entry['at'][11:23]}  {entry['event']}{detail}"


def amount(money: Json) -> str:
    return f"{money['amount'] / 100:.2f} {money['currency']}"
