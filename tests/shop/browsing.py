"""What a person does in the browser."""

import base64
import re
import uuid
from pathlib import Path

import pytest
from playwright.sync_api import Error, Locator, Page, Request, Response, expect
from tests.shop.accessibility import barriers

from shop.testing import RunningShop

ROOT = Path(__file__).parents[2]
PICTURES = ROOT / "test-output" / "browser"
FOR_DOCS = ROOT / "test-output" / "docs"


def visit(page: Page, url: str) -> Response | None:
    """Opens an address and waits for its content.

    Chromium drops what it is loading when any network interface of the machine comes or goes, as
    they do where containers start beside the test: then once more.
    """
    for _ in range(5):
        answer, trouble = _open(page, url)
        if "ERR_NETWORK_CHANGED" not in trouble:
            break
    assert not trouble, trouble
    return answer


def _open(page: Page, url: str) -> tuple[Response | None, str]:
    """The answer, and what went wrong."""
    lost: list[str] = []

    def heard(request: Request) -> None:
        lost.append(f"{request.url}: {request.failure}")

    page.on("requestfailed", heard)
    try:
        answer = page.goto(url)
        page.locator("main > :not(noscript)").first.wait_for()
    except Error as error:
        return None, f"{error.message} {lost}"
    finally:
        page.remove_listener("requestfailed", heard)
    return answer, "".join(text for text in lost if "ERR_NETWORK_CHANGED" in text)


def breach(text: str) -> bool:
    return "Content Security Policy" in text or "Uncaught" in text


def is_foreign(url: str) -> bool:
    return not url.startswith(("http://127.0.0.1:", "data:", "blob:"))


def look_at(page: Page, name: str, *, whole: bool = False) -> None:
    """Keeps a picture for people, and fails for what keeps some of them out."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.evaluate(ALL_IMAGES)
    page.evaluate("document.activeElement.blur(); scrollTo(0, 0)" if whole else "0")
    page.screenshot(path=PICTURES / f"{name}.png", full_page=whole)
    assert barriers(page) == [], name
    assert page.evaluate(TOO_WIDE) == [], name
    assert "`" not in page.inner_text("body"), name


# Not "networkidle": the stream of an open order never ends. Not wait_for_function: it polls with
# eval, which the policy of the pages forbids.
ALL_IMAGES = """() => Promise.all([...document.images].map((image) => {
  image.loading = "eager";
  return image.decode().catch(() => null);
}))"""


def illustrate(page: Page, name: str, height: int) -> None:
    """A picture for the documentation, which `make pictures` takes over."""
    FOR_DOCS.mkdir(parents=True, exist_ok=True)
    page.set_viewport_size({"width": 1280, "height": height})
    page.evaluate("document.getElementById('toast').hidden = true; scrollTo(0, 0)")
    browser = page.context.new_cdp_session(page)
    taken = browser.send("Page.captureScreenshot", {"format": "webp", "quality": 90})
    (FOR_DOCS / f"{name}.webp").write_bytes(base64.b64decode(taken["data"]))


def yours(page: Page, name: str) -> Locator:
    """A link of the navigation at the top."""
    return page.get_by_role("navigation", name="Yours").get_by_role("link", name=name)


def put_in_cart(page: Page, shop: RunningShop, sku: str) -> None:
    visit(page, f"{shop.url}/products/{sku}")
    page.get_by_role("button", name="Add to cart").click()
    expect(page.get_by_role("status")).to_contain_text("is in your cart")


def register(page: Page) -> None:
    """On the page that the checkout sends a stranger to."""
    panel = page.locator("form", has=page.get_by_role("heading", name="New here"))
    panel.get_by_label("Your name").fill("Kim Lee")
    panel.get_by_label("Email").fill(f"kim-{uuid.uuid4().hex[:10]}@shop.example")
    panel.get_by_label("Password").fill("a long enough password")
    panel.get_by_role("button", name="Create account").click()


def check_out(page: Page, shop: RunningShop, *skus: str) -> None:
    """A new customer before the last button of the checkout."""
    for sku in skus:
        put_in_cart(page, shop, sku)
    yours(page, "Cart").click()
    page.get_by_role("link", name="Check out").click()
    register(page)
    expect(page.get_by_role("heading", name="Checkout")).to_be_visible()


def order_with(page: Page, card: str) -> None:
    page.locator(".way", has_text=card).click()
    page.get_by_role("button", name=re.compile("Order and pay")).click()


def has_state(page: Page, state: str) -> None:
    expect(page.locator("[data-state]")).to_have_attribute("data-state", state)


def tab_to(page: Page, selector: str) -> None:
    """Moves the focus as a keyboard user does, who has to see all the way where it is."""
    for _ in range(80):
        page.keyboard.press("Tab")
        assert page.evaluate(UNSEEN_FOCUS) is None
        if page.evaluate("s => document.activeElement.matches(s)", selector):
            return
    pytest.fail(f"{selector} cannot be reached with Tab")


# The element that has the focus, when neither it nor its label shows that.
UNSEEN_FOCUS = """() => {
  const focused = document.activeElement;
  const shown = [focused, ...(focused.labels ?? [])].some(
    (node) => getComputedStyle(node).outlineStyle !== "none");
  return shown || focused === document.body ? null : focused.outerHTML;
}"""

# What sticks out on the right, when the page can be pushed sideways.
TOO_WIDE = """() => {
  const { clientWidth, scrollWidth } = document.documentElement;
  if (scrollWidth <= clientWidth) return [];
  return [...document.body.querySelectorAll("*")]
    .filter((node) => node.getBoundingClientRect().right > clientWidth)
    .map((node) => node.outerHTML.slice(0, 200));
}"""
