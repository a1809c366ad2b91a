"""A real Chromium, and pages of it; the module that asks for a page has the fixture `shop`."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from shop.testing import RunningShop
from shopkit.testing import missing

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
DESKTOP = {"width": 1280, "height": 860}
# The pages are quick; a machine that builds something beside them is not.
PATIENCE = 30_000


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    from playwright.sync_api import expect, sync_playwright

    if shutil.which(CHROMIUM) is None:
        missing("needs Chromium: apt-get install chromium, or CHROMIUM=/path/of/it")
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield started
        started.close()


@pytest.fixture(params=[DESKTOP], ids=["desktop"])
def context(browser: Browser, request: pytest.FixtureRequest) -> Iterator[BrowserContext]:
    opened = browser.new_context(viewport=request.param, reduced_motion="reduce")
    opened.set_default_timeout(PATIENCE)
    yield opened
    opened.close()


@pytest.fixture
def page(context: BrowserContext, shop: RunningShop) -> Iterator[Page]:
    """Fails the test for a script error, a breach of the CSP, or a request to anybody else."""
    from tests.shop.browsing import breach, is_foreign, visit

    page, trouble = context.new_page(), list[str]()
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.on("console", lambda said: trouble.append(said.text) if breach(said.text) else None)
    page.on("request", lambda asked: trouble.append(asked.url) if is_foreign(asked.url) else None)
    visit(page, shop.url)
    yield page
    assert trouble == []
