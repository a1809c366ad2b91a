"""The storefront in a real browser: what a person sees, clicks and types."""

import re
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect
from tests.shop.browsing import (
    check_out,
    has_state,
    illustrate,
    look_at,
    order_with,
    put_in_cart,
    register,
    tab_to,
    visit,
    yours,
)

from shop.customer import visiting
from shop.testing import RunningShop, running

pytestmark = pytest.mark.xdist_group("browser")


@pytest.fixture(scope="module")
def shop(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningShop]:
    with running(tmp_path_factory.mktemp("shop")) as opened:
        yield opened


def test_a_person_finds_something_buys_it_and_watches_it_arrive(
    page: Page, shop: RunningShop
) -> None:
    expect(page.locator(".card")).to_have_count(12)
    look_at(page, "1-home")
    page.get_by_role("link", name="Kitchen").click()
    expect(page.locator(".card")).to_have_count(3)
    look_at(page, "2-category")
    page.get_by_role("searchbox", name="Search the shop").fill("stoneware mug")
    page.keyboard.press("Enter")
    expect(page.locator(".card")).to_have_count(1)
    page.get_by_role("link", name="Tide Mug").click()
    expect(page.get_by_role("heading", name="Tide Mug")).to_be_visible()
    look_at(page, "3-product")
    page.get_by_role("button", name="Quantity: one more").click()
    page.get_by_role("button", name="Add to cart").click()
    put_in_cart(page, shop, "moss-teapot")
    yours(page, "Cart").click()
    expect(page.locator(".summary .total")).to_have_text("€116.00")
    look_at(page, "4-cart")
    page.get_by_role("link", name="Check out").click()
    look_at(page, "5-register")
    register(page)
    expect(page.locator(".summary .total")).to_have_text("€116.00")
    look_at(page, "6-checkout")
    order_with(page, "tok_ok")
    has_state(page, "COMPLETED")
    told = page.locator(".timeline strong").all_inner_texts()
    assert told == [
        "Order placed",
        "Pieces set aside for you",
        "Payment received",
        "Pieces taken from the shelf",
    ]
    look_at(page, "7-order")
    yours(page, "Orders").click()
    expect(page.get_by_role("link", name=re.compile("Moss Teapot, Tide Mug"))).to_be_visible()
    look_at(page, "8-orders")
    expect(yours(page, "Cart")).not_to_contain_text("3")


def test_the_timeline_grows_without_a_reload(page: Page, shop: RunningShop) -> None:
    check_out(page, shop, "oak-board", "moss-teapot")
    order_with(page, "tok_slow")
    has_state(page, "CHARGING")
    look_at(page, "order-live")
    page.evaluate("window.sameDocument = true")
    has_state(page, "COMPLETED")
    assert page.evaluate("window.sameDocument")
    illustrate(page, "timeline", 800)


def test_a_declined_card_is_explained_and_the_cart_is_full_again(
    page: Page, shop: RunningShop
) -> None:
    check_out(page, shop, "fig-candle")
    order_with(page, "tok_declined")
    has_state(page, "CANCELLED")
    expect(page.get_by_text("You were not charged")).to_be_visible()
    expect(yours(page, "Cart")).to_contain_text("1")
    look_at(page, "order-declined")


def test_a_sold_out_product_cannot_be_put_into_the_cart(page: Page, shop: RunningShop) -> None:
    visit(page, f"{shop.url}/products/copper-can")
    expect(page.get_by_role("button", name="Sold out")).to_be_disabled()


def test_an_order_can_be_cancelled_while_it_waits_for_the_bank(
    page: Page, shop: RunningShop
) -> None:
    check_out(page, shop, "noon-clock")
    order_with(page, "tok_requires_action")
    has_state(page, "PAYMENT_ACTION")
    expect(page.get_by_role("link", name="Go to the bank")).to_be_visible()
    look_at(page, "order-action")
    page.get_by_role("button", name="Cancel this order").click()
    has_state(page, "CANCELLED")
    expect(page.get_by_text("You cancelled this order")).to_be_visible()


def expired(route: Route) -> None:
    body = '{"type": "urn:shop:problem:quote-expired", "title": "t", "status": 409, "detail": "d"}'
    route.fulfill(status=409, content_type="application/problem+json", body=body)


def test_an_expired_quote_with_the_same_price_goes_through(page: Page, shop: RunningShop) -> None:
    check_out(page, shop, "fern-pot")
    page.route("**/api/v1/orders", expired, times=1)
    order_with(page, "tok_ok")
    has_state(page, "COMPLETED")


def change_price(shop: RunningShop, sku: str, amount: int) -> None:
    with visiting(shop.url) as admin:
        admin.sign_in(shop.admin())
        change = {"price": {"amount": amount, "currency": "EUR"}}
        admin.call("PATCH", f"/products/{sku}", change, headers={"If-Match": "*"})


def test_an_expired_quote_with_another_price_asks_the_customer_again(
    page: Page, shop: RunningShop
) -> None:
    check_out(page, shop, "cedar-pencils")
    page.route("**/api/v1/orders", expired, times=1)
    change_price(shop, "cedar-pencils", 1500)
    order_with(page, "tok_ok")
    expect(page.get_by_text("the total is now €15.00 instead of €14.00")).to_be_visible()
    expect(page.locator(".mini .price")).to_have_text("€15.00")
    look_at(page, "checkout-price-changed")
    page.get_by_role("button", name="Order and pay €15.00").click()
    has_state(page, "COMPLETED")


def test_a_lost_answer_does_not_make_a_second_order(page: Page, shop: RunningShop) -> None:
    """The service has the order, the browser does not know it."""
    check_out(page, shop, "ridge-vase")

    def swallow(route: Route) -> None:
        route.fetch()
        route.abort()

    page.route("**/api/v1/orders", swallow, times=1)
    order_with(page, "tok_ok")
    has_state(page, "COMPLETED")
    yours(page, "Orders").click()
    expect(page.locator(".orders li")).to_have_count(1)


def test_a_reload_keeps_the_session_but_no_token_is_in_the_browsers_stores(
    page: Page, shop: RunningShop, context: BrowserContext
) -> None:
    check_out(page, shop, "tide-mug")
    visit(page, page.url)
    expect(page.get_by_role("heading", name="Checkout")).to_be_visible()
    stores: dict[str, Any] = page.evaluate("({...localStorage, ...sessionStorage})")
    assert not any(str(value).startswith("ey") for value in stores.values())
    assert page.evaluate("document.cookie") == ""
    cookie = next(c for c in context.cookies() if c["name"] == "refresh_token")
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")


def test_signing_out_ends_the_session(page: Page, shop: RunningShop) -> None:
    check_out(page, shop, "tide-mug")
    yours(page, "Kim").click()
    look_at(page, "account")
    page.get_by_role("button", name="Sign out", exact=True).click()
    expect(yours(page, "Sign in")).to_be_visible()
    visit(page, f"{shop.url}/orders")
    expect(page.get_by_role("heading", name="Welcome")).to_be_visible()


def test_a_person_deletes_the_account_and_cannot_sign_in_again(
    page: Page, shop: RunningShop
) -> None:
    check_out(page, shop, "tide-mug")
    yours(page, "Kim").click()
    email = page.locator(".lead").inner_text().removeprefix("You are signed in as ").rstrip(".")
    page.get_by_label("Delete my account").check()
    page.get_by_role("button", name="Delete account").click()
    expect(page.get_by_role("status")).to_contain_text("is being deleted")
    expect(yours(page, "Sign in")).to_be_visible()
    yours(page, "Sign in").click()
    panel = page.locator("form", has=page.get_by_role("heading", name="Sign in"))
    panel.get_by_label("Email").fill(email)
    panel.get_by_label("Password").fill("a long enough password")
    panel.get_by_role("button", name="Sign in").click()
    expect(panel.get_by_role("alert")).to_contain_text("is wrong")


def test_a_whole_order_needs_no_mouse_not_even_at_the_bank(page: Page) -> None:
    tab_to(page, "#q")
    page.keyboard.type("teapot")
    page.keyboard.press("Enter")
    expect(page.locator(".card")).to_have_count(1)
    tab_to(page, ".card a")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Moss Teapot")).to_be_visible()
    tab_to(page, ".buying .button")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("is in your cart")
    tab_to(page, "#toast a")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Your cart")).to_be_visible()
    tab_to(page, "a.button")
    page.keyboard.press("Enter")
    for name, text in (("name", "Kim"), ("email", None), ("new-password", "a long password")):
        tab_to(page, f"form:last-child input[autocomplete={name}]")
        page.keyboard.type(text or f"kim-{uuid.uuid4().hex[:10]}@shop.example")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Checkout")).to_be_visible()
    tab_to(page, ".way input")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    tab_to(page, "button.wide")
    page.keyboard.press("Enter")
    has_state(page, "PAYMENT_ACTION")
    order = page.url
    tab_to(page, ".notice a")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Test bank")).to_be_visible()
    bank = page.url
    look_at(page, "bank")
    tab_to(page, "button[value=approve]")
    page.keyboard.press("Enter")
    has_state(page, "COMPLETED")
    assert page.url == order, "the bank leads back to the order"
    visit(page, bank)
    expect(page.get_by_text("nothing to confirm")).to_be_visible()
    look_at(page, "bank-answered")
