"""The page of those who run the shop: one watches an order get stuck, and recover."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect
from tests.shop.browsing import illustrate, look_at, register, tab_to, visit, yours
from tests.shop.test_dead_letters import hold_more, waiting_order

from shop.customer import Credentials, Visitor, visiting
from shop.testing import RunningShop, running

pytestmark = pytest.mark.xdist_group("browser")

LEE = Credentials("lee@shop.example", "a long enough password")
CHECKED = ("I1", "I2", "I3", "I4", "I5", "I7", "I8", "I9")
ELSEWHERE = ("I6", "I10")


@pytest.fixture(scope="module")
def shop(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningShop]:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("SHOP_FAULTS", "1")
        environment.setenv("RESEND_FIRST", "0.5")
        environment.setenv("RESEND_MAX", "1")
        with running(tmp_path_factory.mktemp("ops")) as opened:
            yield opened


@pytest.fixture
def ops(page: Page, shop: RunningShop) -> Page:
    """Signed in as the one who runs the shop."""
    visit(page, f"{shop.url}/ops")
    who = shop.admin()
    panel = page.locator("form", has=page.get_by_role("heading", name="Sign in"))
    panel.get_by_label("Email").fill(who.email)
    panel.get_by_label("Password").fill(who.password)
    panel.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Operations")).to_be_visible()
    return page


def has_light(page: Page, name: str, colour: str) -> None:
    expect(page.locator(f"[data-light={name}]")).to_have_attribute("data-colour", colour)


def switch(page: Page, service: str, fault: str, value: int) -> None:
    form = page.get_by_role("form", name=f"Faults of {service}")
    form.get_by_label(fault).fill(str(value))
    form.get_by_role("button", name="Switch").click()
    expect(page.locator("#toast")).to_contain_text(f"{service}: switched")


def bought(visitor: Visitor) -> str:
    visitor.register(LEE, "Lee")
    visitor.sign_in(LEE)
    quote = visitor.call("POST", "/quotes", {"lines": [{"sku": "oak-board", "quantity": 1}]})
    method = visitor.call(
        "POST", "/payment-methods", {"token": "tok_ok", "label": "mine"}, key="card"
    )
    body = {"quote": quote["quote"], "payment_method_id": method["id"]}
    return str(visitor.call("POST", "/orders", body, key=quote["quote_id"])["id"])


def test_one_watches_an_order_that_is_stuck_recover(ops: Page, shop: RunningShop) -> None:
    expect(ops.locator(".open-orders")).to_have_text("0 open orders")
    switch(ops, "catalog", "Lost messages", 100)
    with visiting(shop.url) as visitor:
        order = bought(visitor)
        expect(ops.locator("[data-saga=RESERVING]")).to_be_visible()
        expect(ops.locator(".open-orders")).to_have_text("1 open order")
        ops.get_by_role("button", name="Check everything now").click()
        has_light(ops, "I2", "grey")
        expect(ops.get_by_role("status").filter(has_text="Under way")).to_contain_text("orders")
        look_at(ops, "ops-stuck", whole=True)
        illustrate(ops, "ops", 980)
        switch(ops, "catalog", "Lost messages", 0)
        expect(ops.locator(".open-orders")).to_have_text("0 open orders")
        assert visitor.call("GET", f"/orders/{order}")["state"] == "COMPLETED"
    ops.get_by_role("button", name="Check everything now").click()
    for name in CHECKED:
        has_light(ops, name, "green")
    look_at(ops, "ops-recovered", whole=True)


def test_a_light_is_grey_until_it_was_checked_and_where_it_cannot_be(ops: Page) -> None:
    for name in (*CHECKED, *ELSEWHERE):
        has_light(ops, name, "grey")
    tab_to(ops, "section[aria-label=Invariants] button")
    ops.keyboard.press("Enter")
    for name in CHECKED:
        has_light(ops, name, "green")
    for name in ELSEWHERE:
        has_light(ops, name, "grey")


def test_a_dead_letter_is_replayed_and_a_shelf_that_is_wrong_is_red(
    ops: Page, shop: RunningShop
) -> None:
    with visiting(shop.url) as visitor:
        order = waiting_order(visitor)
        hold_more(shop, -1)
        try:
            ops.request.post(order["action_url"], form={"answer": "approve"})
            replay = ops.get_by_role("button", name="Replay catalog CommitStock")
            expect(replay).to_be_visible()
            has_light(ops, "I4", "red")
            look_at(ops, "ops-dead-letter", whole=True)
            replay.click()
            expect(ops.locator("#toast")).to_contain_text("It fails again")
        finally:
            hold_more(shop, +1)
        expect(ops.get_by_text("Every message could be handled.")).to_be_visible()
        assert visitor.call("GET", f"/orders/{order['id']}")["state"] in ("CONFIRMED", "COMPLETED")


def test_a_customer_sees_that_it_is_not_for_them(page: Page, shop: RunningShop) -> None:
    visit(page, f"{shop.url}/ops")
    register(page)
    expect(page.get_by_role("heading", name="Not for this account")).to_be_visible()
    expect(yours(page, "Operations")).to_have_count(0)


def test_an_order_survives_the_death_of_the_process_at_a_chosen_point(
    shop: RunningShop, tmp_path: Path
) -> None:
    """The environment of `shop` allows the switches here too."""
    point = "orders.stock_reserved.before_commit"
    with running(tmp_path) as mortal:
        with visiting(mortal.url) as admin:
            admin.sign_in(mortal.admin())
            token = {"Authorization": f"Bearer {admin.token}"}
        url = f"{mortal.url}/ops/api/faults/orders/death"
        assert httpx.post(url, json={"point": point}, headers=token).status_code == 202
        with visiting(mortal.url) as visitor:
            order = bought(visitor)
            assert mortal.ended() == -signal.SIGKILL
        mortal.start()
        with visiting(mortal.url) as visitor:
            visitor.sign_in(LEE)
            for _ in visitor.events(order):
                pass
            assert visitor.call("GET", f"/orders/{order}")["state"] == "COMPLETED"


def test_without_the_setting_there_are_no_fault_switches(
    context: BrowserContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SHOP_FAULTS", raising=False)
    with running(tmp_path, "--no-seed") as plain:
        with visiting(plain.url) as visitor:
            visitor.sign_in(plain.admin())
            token = {"Authorization": f"Bearer {visitor.token}"}
        request = context.request
        answer = request.get(f"{plain.url}/ops/api/faults/orders", headers=token)
        assert answer.status == 404
        assert not any(
            one["state"]["faults"]
            for one in request.get(f"{plain.url}/ops/api/state", headers=token).json()
        )
        assert request.get(f"{plain.url}/ops/api/state").status == 401
