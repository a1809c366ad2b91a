import pytest
from hypothesis import given
from hypothesis import strategies as st

from orders.carts import MOST_LINES, MOST_OF_ONE, Cart, CartFull, ordered, put, returned, without
from orders.messages import Line

SKUS = st.sampled_from(["tea", "pot", "cup"])
CARTS = st.dictionaries(SKUS, st.integers(1, MOST_OF_ONE))
LINES = st.dictionaries(SKUS, st.integers(1, MOST_OF_ONE)).map(
    lambda wanted: tuple(Line(sku=sku, quantity=n) for sku, n in wanted.items())
)


def test_a_quantity_is_set_not_added() -> None:
    assert put({"tea": 5}, "tea", 2) == {"tea": 2}


def test_a_full_cart_takes_no_new_line_but_other_quantities() -> None:
    full: Cart = {f"sku-{n}": 1 for n in range(MOST_LINES)}
    with pytest.raises(CartFull):
        put(full, "one-more", 1)
    assert put(full, "sku-0", 9)["sku-0"] == 9


def test_a_line_can_be_removed_and_a_missing_one_too() -> None:
    assert without({"tea": 1, "pot": 1}, "tea") == {"pot": 1}
    assert without({"pot": 1}, "tea") == {"pot": 1}


def test_what_was_put_into_the_cart_after_the_quote_stays() -> None:
    lines = [Line(sku="tea", quantity=2), Line(sku="pot", quantity=1)]
    assert ordered({"tea": 3, "pot": 1, "cup": 4}, lines) == {"tea": 1, "cup": 4}


@given(CARTS, LINES)
def test_an_order_without_a_sale_leaves_at_least_what_was_there(
    cart: Cart, lines: tuple[Line, ...]
) -> None:
    after = returned(ordered(cart, lines), lines)
    assert all(after[sku] >= quantity for sku, quantity in cart.items())
    assert all(1 <= quantity <= MOST_OF_ONE for quantity in after.values())
