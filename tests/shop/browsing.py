"""A browser, an open shop, and what a person does in it."""

import os
import re
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    Error,
    Locator,
    Page,
    Response,
    expect,
    sync_playwright,
)

from shop.testing import RunningShop, running

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
ROOT = Path(__file__).parents[2]
PICTURES = ROOT / "test-output" / "browser"
DESKTOP, PHONE = {"width": 1280, "height": 860}, {"width": 390, "height": 844}
# The pages are quick; a machine that builds something beside them is not.
PATIENCE = 30_000


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if shutil.which(CHROMIUM) is None:
        reason = "needs Chromium: apt-get install chromium, or CHROMIUM=/path/of/it"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(reason)
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield started
        started.close()


@pytest.fixture(scope="module")
def shop(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningShop]:
    expect.set_options(timeout=PATIENCE)
    with running(tmp_path_factory.mktemp("shop")) as opened:
        yield opened


@pytest.fixture(params=[DESKTOP], ids=["desktop"])
def context(browser: Browser, request: pytest.FixtureRequest) -> Iterator[BrowserContext]:
    opened = browser.new_context(viewport=request.param, reduced_motion="reduce")
    opened.set_default_timeout(PATIENCE)
    yield opened
    opened.close()


@pytest.fixture
def page(context: BrowserContext, shop: RunningShop) -> Iterator[Page]:
    """Fails the test for a script error, a breach of the CSP, or a request to anybody else."""
    page, trouble, failed = context.new_page(), list[str](), list[str]()
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.on("console", lambda said: trouble.append(said.text) if breach(said.text) else None)
    page.on("requestfailed", lambda lost: failed.append(f"{lost.url}: {lost.failure}"))
    page.on("request", lambda asked: trouble.append(asked.url) if is_foreign(asked.url) else None)
    visit(page, shop.url)
    try:
        expect(page.get_by_role("heading", level=1)).to_be_visible()
    except AssertionError as error:
        raise AssertionError(f"the page did not open: {trouble} {failed}") from error
    yield page
    assert trouble == []


def visit(page: Page, url: str) -> Response | None:
    """Chromium drops what it loads when a network interface of the machine comes or goes."""
    for _ in range(5):
        try:
            return page.goto(url)
        except Error as error:
            if "ERR_NETWORK_CHANGED" not in error.message:
                raise
    return page.goto(url)


def breach(text: str) -> bool:
    return "Content Security Policy" in text or "Uncaught" in text


def is_foreign(url: str) -> bool:
    return not url.startswith(("http://127.0.0.1:", "data:", "blob:"))


def picture(page: Page, name: str) -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.evaluate("document.getElementById('toast').hidden = true")
    page.wait_for_load_state("networkidle")
    page.screenshot(path=PICTURES / f"{name}.png")


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
