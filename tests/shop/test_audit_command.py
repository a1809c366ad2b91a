"""`shop audit` and `shop crashpoints`, as typed, against a real process."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from shop import crashpoints
from shop.customer import Credentials, Visitor, visiting
from shop.testing import RunningShop, running


@pytest.fixture(scope="module")
def open_shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningShop]:
    with running(tmp_path_factory.mktemp("audited")) as shop:
        yield shop


def shop(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-E", "-m", "shop", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def audit(running: RunningShop, *more: str) -> "subprocess.CompletedProcess[str]":
    where = ("--url", running.url, "--admin-url", f"{running.admin_url}/{{service}}")
    return shop("audit", *where, "--data", str(running.folder / "data"), *more)


def test_one_audit_after_the_other(open_shop: RunningShop) -> None:
    """Clean; an order waits for its customer; clean again with the order cancelled."""
    assert shop("order", "--url", open_shop.url).returncode == 0
    clean = audit(open_shop, "--scan", str(open_shop.folder))
    assert (clean.returncode, "over 1 orders" in clean.stdout) == (0, True), clean.stdout
    with visiting(open_shop.url) as visitor:
        order = waiting(visitor)
        busy = audit(open_shop, "--settle", "0.5", "-o", "json")
        assert busy.returncode == 3, busy.stderr
        assert order in "".join(json.loads(busy.stdout)["unsettled"])
        visitor.call("POST", f"/orders/{order}/cancel", key="cancel")
    done = audit(open_shop)
    assert (done.returncode, "over 2 orders" in done.stdout) == (0, True), done.stdout


def waiting(visitor: Visitor) -> str:
    """An order that the bank wants to ask its customer about."""
    who = Credentials("lee@shop.example", "a long enough password")
    visitor.register(who, "Lee")
    visitor.sign_in(who)
    quote = visitor.call("POST", "/quotes", {"lines": [{"sku": "tide-mug", "quantity": 1}]})
    card = {"token": "tok_requires_action", "label": "asks"}
    method = visitor.call("POST", "/payment-methods", card, key="card")
    body = {"quote": quote["quote"], "payment_method_id": method["id"]}
    order = str(visitor.call("POST", "/orders", body, key=quote["quote_id"])["id"])
    assert any("ActionRequired" in event for event in visitor.events(order))
    return order


def test_a_folder_that_is_no_shop_is_one_clear_line(tmp_path: Path) -> None:
    failed = shop("audit", "--data", str(tmp_path / "nothing"))
    assert failed.returncode == 1
    assert "is no data folder of a shop" in failed.stderr
    assert "Traceback" not in failed.stderr


def test_crash_points_are_listed() -> None:
    listed = json.loads(shop("crashpoints", "-o", "json").stdout)
    assert listed == list(crashpoints.names())
    assert "payments.confirm_intent.after_call" in listed
