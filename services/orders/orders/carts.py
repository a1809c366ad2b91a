"""The cart as a value: SKU -> quantity. Pure."""

from collections.abc import Iterable, Mapping

from orders.messages import Line

MOST_OF_ONE = 99
MOST_LINES = 50

Cart = Mapping[str, int]


class CartFull(Exception):
    """One line more than a cart may have."""


def put(cart: Cart, sku: str, quantity: int) -> Cart:
    """Sets the quantity; raises CartFull for a line too many."""
    changed = {**cart, sku: quantity}
    if len(changed) > MOST_LINES and sku not in cart:
        raise CartFull
    return changed


def without(cart: Cart, sku: str) -> Cart:
    return {known: quantity for known, quantity in cart.items() if known != sku}


def ordered(cart: Cart, lines: Iterable[Line]) -> Cart:
    """What is left: more than was quoted, or put there since, stays."""
    left = dict(cart)
    for line in lines:
        if line.sku in left:
            left[line.sku] -= line.quantity
    return {sku: quantity for sku, quantity in left.items() if quantity > 0}


def returned(cart: Cart, lines: Iterable[Line]) -> Cart:
    """The lines of an order without a sale come back; the limit of lines does not lose them."""
    changed = dict(cart)
    for line in lines:
        changed[line.sku] = min(MOST_OF_ONE, changed.get(line.sku, 0) + line.quantity)
    return changed
