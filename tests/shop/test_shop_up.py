"""`shop up` as a real process: what a newcomer types, and what must survive."""

import json
import re
import signal
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from shop.customer import FINAL, Credentials, Visitor, visiting
from shop.products import PRODUCTS
from shop.testing import RunningShop, running
from shopkit.testing import free_port

pytestmark = pytest.mark.xdist_group("shop-up")


@pytest.fixture(scope="module")
def open_shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningShop]:
    with running(tmp_path_factory.mktemp("shop")) as shop:
        yield shop


@pytest.fixture
def customer(open_shop: RunningShop) -> Iterator[Visitor]:
    with visiting(open_shop.url) as visitor:
        join(visitor)
        yield visitor


def join(visitor: Visitor) -> Credentials:
    who = Credentials(f"kim-{uuid.uuid4().hex[:10]}@shop.example", "a long enough password")
    visitor.register(who, "Kim Lee")
    visitor.sign_in(who)
    return who


def available(visitor: Visitor, sku: str) -> int:
    return int(visitor.call("GET", f"/products/{sku}")["available"])


def quoted(visitor: Visitor, sku: str, quantity: int = 1) -> dict[str, Any]:
    visitor.call("PUT", f"/cart/items/{sku}", {"quantity": quantity})
    quote: dict[str, Any] = visitor.call(
        "POST", "/quotes", {"lines": visitor.call("GET", "/cart")["lines"]}
    )
    return quote


def card(visitor: Visitor, token: str) -> str:
    body = {"token": token, "label": "Test card"}
    return str(visitor.call("POST", "/payment-methods", body, key=str(uuid.uuid4()))["id"])


def order(visitor: Visitor, quote: dict[str, Any], method: str) -> dict[str, Any]:
    body = {"quote": quote["quote"], "payment_method_id": method}
    placed: dict[str, Any] = visitor.call("POST", "/orders", body, key=quote["quote_id"])
    return placed


def at_its_end(visitor: Visitor, order_id: str) -> dict[str, Any]:
    """Follows the event stream; the server ends it with the order."""
    for _ in range(60):
        for _ in visitor.events(order_id):
            pass
        now: dict[str, Any] = visitor.call("GET", f"/orders/{order_id}")
        if now["state"] in FINAL:
            return now
    pytest.fail(f"the order did not end: {now}")


def shop(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-E", "-m", "shop", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def events(order: dict[str, Any]) -> list[str]:
    return [entry["event"] for entry in order["timeline"]]


def test_it_prints_its_address_and_the_demo_admin(open_shop: RunningShop) -> None:
    assert open_shop.url in open_shop.output()
    with visiting(open_shop.url) as visitor:
        visitor.sign_in(open_shop.admin())
        assert {"admin", "ops"} <= set(visitor.call("GET", "/users/me")["scopes"])


def test_the_shelves_are_filled_and_every_product_has_its_picture(open_shop: RunningShop) -> None:
    with visiting(open_shop.url) as visitor, httpx.Client(base_url=open_shop.url) as browser:
        items = visitor.call("GET", "/products?limit=100")["items"]
        pictures = {item["sku"]: browser.get(item["image"]) for item in items}
    assert set(pictures) == {product.sku for product in PRODUCTS}
    assert {answer.headers["content-type"] for answer in pictures.values()} == {"image/svg+xml"}
    assert len({item["category"] for item in items}) == 4
    # The rare ones may be sold by another test, never more than there were.
    assert {"copper-can": 0}.items() <= {i["sku"]: i["available"] for i in items}.items()


def test_a_whole_order_ends_completed_and_takes_the_stock(
    open_shop: RunningShop, customer: Visitor
) -> None:
    before = available(customer, "tide-mug")
    quote = quoted(customer, "tide-mug", 2)
    assert quote["total"] == {"amount": 4800, "currency": "EUR"}
    done = at_its_end(customer, order(customer, quote, card(customer, "tok_ok"))["id"])
    assert done["state"] == "COMPLETED"
    assert events(done) == ["PLACED", "StockReserved", "Charged", "StockCommitted"]
    assert available(customer, "tide-mug") == before - 2
    assert customer.call("GET", "/cart")["lines"] == []


def test_a_declined_card_ends_cancelled_with_stock_and_cart_back(customer: Visitor) -> None:
    before = available(customer, "oak-board")
    quote = quoted(customer, "oak-board")
    done = at_its_end(customer, order(customer, quote, card(customer, "tok_declined"))["id"])
    assert (done["state"], done["cancel_reason"]) == ("CANCELLED", "declined")
    assert available(customer, "oak-board") == before
    assert customer.call("GET", "/cart")["lines"] == [{"sku": "oak-board", "quantity": 1}]


def test_what_is_not_there_is_rejected_and_costs_nothing(customer: Visitor) -> None:
    done = at_its_end(
        customer, order(customer, quoted(customer, "copper-can"), card(customer, "tok_ok"))["id"]
    )
    assert done["state"] == "REJECTED"
    assert "Charged" not in events(done)


def test_the_same_quote_sent_twice_is_one_order(customer: Visitor) -> None:
    quote, method = quoted(customer, "field-notebook"), card(customer, "tok_ok")
    first, second = order(customer, quote, method), order(customer, quote, method)
    assert first["id"] == second["id"]
    assert [o["id"] for o in customer.call("GET", "/orders")["items"]] == [first["id"]]
    at_its_end(customer, first["id"])


def test_a_cancelled_order_gives_everything_back(customer: Visitor) -> None:
    before = available(customer, "noon-clock")
    quote, method = quoted(customer, "noon-clock"), card(customer, "tok_slow")
    placed = order(customer, quote, method)
    customer.call("POST", f"/orders/{placed['id']}/cancel", key=f"cancel-{placed['id']}")
    done = at_its_end(customer, placed["id"])
    assert (done["state"], done["cancel_reason"]) == ("CANCELLED", "customer")
    assert available(customer, "noon-clock") == before


def test_nobody_sees_another_customers_order(open_shop: RunningShop, customer: Visitor) -> None:
    placed = order(customer, quoted(customer, "fern-pot"), card(customer, "tok_ok"))
    with visiting(open_shop.url) as stranger:
        join(stranger)
        assert stranger.send("GET", f"/orders/{placed['id']}").status_code == 404
    at_its_end(customer, placed["id"])


def test_seeding_again_changes_nothing(open_shop: RunningShop, tmp_path: Path) -> None:
    admin = open_shop.admin()
    secret = tmp_path / "password"
    secret.write_text(f"{admin.password}\n")
    where = ("--url", open_shop.url, "--admin-email", admin.email)
    again = shop("seed", *where, "--admin-password-file", str(secret))
    assert (again.returncode, again.stdout) == (0, "nothing to add, the shelves are full\n")


def test_the_order_command_prints_the_timeline(open_shop: RunningShop) -> None:
    done = shop("order", "--url", open_shop.url, "--sku", "ridge-vase")
    assert done.returncode == 0, done.stderr
    told = re.findall(r"^  \S+  (\w+)", done.stdout, re.MULTILINE)
    assert told == ["PLACED", "StockReserved", "Charged", "StockCommitted"]
    assert "the order is COMPLETED" in done.stdout


def test_the_order_command_speaks_json(open_shop: RunningShop) -> None:
    arguments = ("--card", "tok_declined", "--sku", "fig-candle", "-o", "json")
    result = json.loads(shop("order", "--url", open_shop.url, *arguments).stdout)
    assert result["order"]["state"] == "CANCELLED"
    assert result["stock"]["before"] == result["stock"]["after"]


def test_a_wrong_address_is_one_clear_line() -> None:
    failed = shop("order", "--url", "http://127.0.0.1:1")
    assert failed.returncode == 1
    assert "http://127.0.0.1:1 does not answer" in failed.stderr
    assert "Traceback" not in failed.stderr


def test_metrics_of_every_service_are_on_the_admin_port(open_shop: RunningShop) -> None:
    with httpx.Client(base_url=open_shop.admin_url) as admin:
        for service in ("auth", "catalog", "orders", "payments", "bank", "storefront"):
            answer = admin.get(f"/{service}/metrics")
            assert answer.status_code == 200
            assert f'service="{service}"' in answer.text


def test_ctrl_c_ends_it_cleanly_and_the_next_start_is_quick_and_goes_on(tmp_path: Path) -> None:
    with running(tmp_path) as fresh:
        with visiting(fresh.url) as visitor:
            who = join(visitor)
            placed = order(visitor, quoted(visitor, "tide-mug"), card(visitor, "tok_ok"))
            done = at_its_end(visitor, placed["id"])
        assert fresh.end(signal.SIGINT) == 0
        assert "Traceback" not in fresh.output()
        fresh.start()
        assert fresh.cpu_seconds() < 10
        assert "filled the shelves" not in fresh.output()
        with visiting(fresh.url) as visitor:
            visitor.sign_in(who)
            assert visitor.call("GET", f"/orders/{done['id']}") == done


def test_orders_complete_after_a_kill_in_the_middle(tmp_path: Path) -> None:
    """One order waits for the bank, the other was only just accepted."""
    with running(tmp_path) as fresh:
        with visiting(fresh.url) as visitor:
            who = join(visitor)
            method = card(visitor, "tok_slow")
            waiting = order(visitor, quoted(visitor, "dome-lamp"), method)
            assert any("StockReserved" in event for event in visitor.events(waiting["id"]))
            accepted = order(visitor, quoted(visitor, "moss-teapot"), method)
            fresh.end(signal.SIGKILL)
        fresh.start()
        with visiting(fresh.url) as visitor:
            visitor.sign_in(who)
            done = [at_its_end(visitor, placed["id"]) for placed in (waiting, accepted)]
            assert [(o["state"], o["total"]["amount"]) for o in done] == [
                ("COMPLETED", 14900),
                ("COMPLETED", 6800),
            ]
            assert [available(visitor, sku) for sku in ("dome-lamp", "moss-teapot")] == [29, 39]


def test_two_shops_cannot_share_one_data_folder(open_shop: RunningShop) -> None:
    ports = ("--port", str(free_port()), "--admin-port", str(free_port()))
    refused = shop("up", *ports, "--data", str(open_shop.folder / "data"))
    assert refused.returncode != 0
    assert "Traceback" not in refused.stderr


def test_a_taken_port_is_named_with_the_option_that_changes_it(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = shop("up", "--port", str(port), "--data", str(tmp_path))
    assert refused.returncode == 1
    assert f"port {port} cannot be opened" in refused.stderr
    assert "--port" in refused.stderr
