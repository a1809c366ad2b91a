"""Every page in every state it may be in: open to everybody, on a desk and on a phone."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect
from tests.shop.browsing import (
    check_out,
    has_state,
    illustrate,
    look_at,
    order_with,
    put_in_cart,
    visit,
)
from tests.shop.conftest import DESKTOP

from shop.testing import RunningShop, running

PHONE = {"width": 390, "height": 844}
pytestmark = pytest.mark.xdist_group("browser")


@pytest.fixture(scope="module")
def shop(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningShop]:
    with running(tmp_path_factory.mktemp("states")) as opened:
        yield opened


FOR_ALL = {
    "home": "/",
    "category": "/?category=kitchen&sort=price",
    "found-nothing": "/?q=" + 25 * "word",
    "not-understood": "/?q=" + 30 * "word",
    "product": "/products/tide-mug",
    "sold-out": "/products/copper-can",
    "no-product": "/products/nothing",
    "empty-cart": "/cart",
    "sign-in": "/account",
    "no-page": "/nothing/here",
}
FOR_THE_SIGNED_IN = {
    "cart": "/cart",
    "checkout": "/checkout",
    "account": "/account",
    "no-orders": "/orders",
    "not-yours": "/orders/00000000-0000-0000-0000-000000000000",
    "not-allowed": "/ops",
}


@pytest.mark.parametrize("context", [DESKTOP, PHONE], ids=["desktop", "phone"], indirect=True)
def test_every_page_is_open_to_everybody(page: Page, shop: RunningShop) -> None:
    screen = "phone" if page.viewport_size == PHONE else "desktop"
    for name, path in FOR_ALL.items():
        shows(page, shop, path)
        look_at(page, f"{screen}-{name}")
    check_out(page, shop, "tide-mug", "dome-lamp")
    for name, path in FOR_THE_SIGNED_IN.items():
        shows(page, shop, path)
        look_at(page, f"{screen}-{name}")
    shows(page, shop, "/checkout")
    order_with(page, "tok_declined")
    has_state(page, "CANCELLED")
    look_at(page, f"{screen}-declined")
    shows(page, shop, "/orders")
    look_at(page, f"{screen}-orders")


def shows(page: Page, shop: RunningShop, path: str) -> None:
    visit(page, f"{shop.url}{path}")
    expect(page.locator("main h1")).to_be_visible()


@pytest.mark.parametrize("context", [PHONE], ids=["phone"], indirect=True)
def test_an_order_on_a_phone(page: Page, shop: RunningShop) -> None:
    put_in_cart(page, shop, "moss-teapot")
    look_at(page, "phone-put-in-cart")
    check_out(page, shop, "moss-teapot")
    order_with(page, "tok_requires_action")
    has_state(page, "PAYMENT_ACTION")
    look_at(page, "phone-asked-by-the-bank")
    page.get_by_role("link", name="Go to the bank").click()
    look_at(page, "phone-bank")
    page.get_by_role("button", name="Approve").click()
    has_state(page, "COMPLETED")
    look_at(page, "phone-completed")


def test_the_shop_window(page: Page, shop: RunningShop) -> None:
    expect(page.locator(".card")).to_have_count(12)
    illustrate(page, "storefront", 1180)


@pytest.mark.parametrize("context", [DESKTOP, PHONE], ids=["desktop", "phone"], indirect=True)
def test_a_very_long_name_breaks_no_page(page: Page, shop: RunningShop) -> None:
    check_out(page, shop, "tide-mug")
    shows(page, shop, "/account")
    panel = page.locator("form", has=page.get_by_role("heading", name="Your name"))
    panel.get_by_label("Your name").fill(10 * "Maximilian")
    panel.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", name="Hello, MaximilianMax")).to_be_visible()
    look_at(page, f"long-name-{page.viewport_size['width'] if page.viewport_size else 0}")


def test_a_wrong_password_is_said_beside_the_field(page: Page, shop: RunningShop) -> None:
    visit(page, f"{shop.url}/account")
    panel = page.locator("form", has=page.get_by_role("heading", name="Sign in"))
    panel.get_by_label("Email").fill("nobody@shop.example")
    panel.get_by_label("Password").fill("not the password")
    panel.get_by_role("button", name="Sign in").click()
    expect(panel.get_by_role("alert")).to_contain_text("is wrong")
    look_at(page, "wrong-password")


def test_a_page_whose_scripts_got_lost_loads_itself_again(page: Page, shop: RunningShop) -> None:
    page.route("**/js/format.js", lambda route: route.abort(), times=1)
    visit(page, shop.url)
    expect(page.locator(".card")).to_have_count(12)


def test_a_shop_that_cannot_be_loaded_says_so(page: Page, shop: RunningShop) -> None:
    page.route("**/js/format.js", lambda route: route.abort())
    visit(page, shop.url)
    expect(page.get_by_role("alert")).to_contain_text("could not be loaded")
    look_at(page, "not-loaded")


def test_an_unknown_address_says_so(page: Page, shop: RunningShop) -> None:
    answer = visit(page, f"{shop.url}/nothing/here")
    assert answer is not None
    assert answer.status == 404
    expect(page.get_by_role("heading", name="Nothing on this shelf")).to_be_visible()
