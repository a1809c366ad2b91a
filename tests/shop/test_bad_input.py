"""Every bad request has its own answer and changes nothing; odd legal texts come back whole."""

import time
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx
import pytest
import yaml
from tests.shop import forging
from tests.shop.browsing import visit
from tests.shop.dumping import tables

from shop.customer import Credentials, Visitor, visiting
from shop.installation import Installation
from shop.testing import RunningShop, running
from shopkit.ids import uuid5
from shopkit.pages import encode_cursor

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.xdist_group("bad-input")
ROWS = yaml.safe_load((Path(__file__).parent / "bad_input.yaml").read_text(encoding="utf-8"))
PASSWORD = "a long enough password"
ON_ITS_WAY = ("bank.deliveries", "catalog.outbox", "orders.outbox", "payments.outbox")
PATIENCE = 60.0
BODIES = {
    "mebibyte": b'{"name": "' + b"x" * 2**20 + b'"}',
    "deep": b"[" * 100_000 + b"]" * 100_000,
    "not_utf8": b'{"name": "\xff"}',
}
ODD = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "'; DROP TABLE users; --",
    '" OR "1"="1',
    "${7*7} {{7*7}} %s %00 \\u0000",
    "\N{RIGHT-TO-LEFT OVERRIDE}abc \N{GRINNING FACE} e\N{COMBINING ACUTE ACCENT}",
)


class Scene:
    """A shop at rest after one order; `known` is what the rows may name."""

    def __init__(self, shop: RunningShop) -> None:
        self.shop, self.keys = shop, Installation.in_folder(shop.folder / "data")
        self.known: dict[str, str] = {
            "password": PASSWORD,
            "long": "k" * 201,
            "digits": "9" * 5000,
            "bank": self.keys.bank_secret,
            "huge_cursor": encode_cursor("price", 2**64 - 1, "x"),
        }
        self._buy()
        self._bank()

    def _buy(self) -> None:
        with visiting(self.shop.url) as visitor:
            self.known["stranger"] = joined(visitor)
            joined(visitor)
            me = visitor.call("GET", "/users/me")["id"]
            card = {"token": "tok_ok", "label": "mine"}
            method = visitor.call("POST", "/payment-methods", card, key="card")["id"]
            used, fresh = quoted(visitor), quoted(visitor)["quote"]
            body = {"quote": used["quote"], "payment_method_id": method}
            order = visitor.call("POST", "/orders", body, key="used")["id"]
            while "COMPLETED" not in "".join(visitor.events(order)):
                pass
            visitor.sign_in(self.shop.admin())
            self.known |= {"admin": visitor.token, "method_id": method, "order_id": order}
            self._gold_bar(visitor)
        self.known |= {"quote": fresh, "used_quote": used["quote"], "used_key": "used"}
        self.known["payment_id"] = uuid5(order, "payment")
        self.known |= {**forging.tokens(self.keys, me), **forging.quotes(self.keys, fresh)}

    def _gold_bar(self, admin: Visitor) -> None:
        """So dear that the bank takes less than ninety-nine of them."""
        price = {"amount": 100_000_000, "currency": "EUR"}
        bar = {"sku": "gold-bar", "title": "Gold", "category": "Gold", "price": price}
        admin.call("POST", "/products", bar)

    def _bank(self) -> None:
        secret = {"Authorization": f"Bearer {self.keys.bank_secret}"}
        page = httpx.get(f"{self.shop.url}/v1/payment_intents", headers=secret).json()
        self.known["intent_id"] = page["data"][0]["id"]
        self.known |= forging.webhooks(self.keys, self.known["intent_id"])

    def ask(self, row: Mapping[str, Any]) -> httpx.Response:
        method, path = self._filled(row["ask"]).split(" ", 1)
        who, body = row.get("as", "customer"), row.get("body")
        given = {name: self._filled(value) for name, value in row.get("headers", {}).items()}
        headers = {"Content-Type": "application/json", **given}
        if who != "nobody":
            headers["Authorization"] = f"Bearer {self.known[who]}"
        # The bank keeps its refusals under their key, as Stripe does.
        if who != "bank" and row.get("key", "") is not None:
            headers["Idempotency-Key"] = self._filled(row.get("key", str(uuid.uuid4())))
        content = b"" if body is None else BODIES.get(body[1:]) or self._filled(body).encode()
        url = f"{self.shop.url}{path}"
        return httpx.request(method, url, content=content, headers=headers, timeout=30)

    def _filled(self, text: str) -> str:
        return Template(text).safe_substitute(self.known)

    def stored(self) -> Mapping[str, Any]:
        return tables(self.shop.folder / "data")

    def at_rest(self) -> Mapping[str, Any]:
        """What is stored once nothing is on its way any more, such as the bank's second webhook."""
        until = time.monotonic() + PATIENCE
        while under_way := [name for name in ON_ITS_WAY if self.stored()[name]]:
            assert time.monotonic() < until, under_way
            time.sleep(0.1)
        return self.stored()


def joined(visitor: Visitor) -> str:
    """A new customer's access token."""
    who = Credentials(f"{uuid.uuid4().hex}@shop.example", PASSWORD)
    visitor.register(who, "Kim")
    visitor.sign_in(who)
    return visitor.token


def quoted(visitor: Visitor) -> dict[str, Any]:
    made: dict[str, Any] = visitor.call(
        "POST", "/quotes", {"lines": [{"sku": "tide-mug", "quantity": 1}]}
    )
    return made


def said(answer: httpx.Response) -> str:
    """Status and slug; of the bank, which is somebody else's service, its code."""
    body = answer.json()
    if answer.headers["content-type"] == "application/problem+json":
        assert body["status"] == answer.status_code
        return f"{answer.status_code} {body['type'].removeprefix('urn:shop:problem:')}"
    code = body["error"]["code"] if answer.is_error else ""
    return f"{answer.status_code} {code}".strip()


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningShop]:
    with running(tmp_path_factory.mktemp("bad-input")) as opened:
        yield opened
        assert "unexpected_error" not in opened.output()


@pytest.fixture(scope="module")
def scene(shop: RunningShop) -> Scene:
    return Scene(shop)


@pytest.mark.parametrize("group", ROWS)
def test_what_is_refused_changes_nothing(scene: Scene, group: str) -> None:
    """One row after the other; together they take seconds, each as its own test would not."""
    before = scene.at_rest()
    wrong: list[str] = []
    for row in ROWS[group]:
        answer = scene.ask(row)
        heard, after = said(answer), scene.stored()
        changed = [name for name, rows in after.items() if rows != before[name]]
        if heard != str(row["said"]).strip() or changed:
            wrong.append(f"{row}: {heard}, changed {changed}: {answer.text[:300]}")
        before = after
    assert not wrong, "\n".join(wrong)


def test_a_wrong_password_counts_and_changes_nothing_else(scene: Scene) -> None:
    before = scene.at_rest()
    login = {"email": "nobody@shop.example", "password": "' OR '1'='1"}
    with visiting(scene.shop.url) as visitor:
        answers = [said(visitor.send("POST", "/tokens", login)) for _ in range(6)]
    assert answers == ["401 unauthenticated"] * 5 + ["429 rate-limited"]
    after = scene.stored()
    assert {n for n, rows in after.items() if rows != before[n]} == {"auth.login_failures"}


@pytest.mark.parametrize("text", ODD)
def test_a_legal_text_comes_back_unchanged(scene: Scene, text: str) -> None:
    with visiting(scene.shop.url) as visitor:
        joined(visitor)
        assert visitor.call("PATCH", "/users/me", {"name": text})["name"] == text
        assert visitor.call("GET", "/users/me")["name"] == text
        label = {"token": "tok_ok", "label": text}
        visitor.call("POST", "/payment-methods", label, key=text.encode().hex())
        (method,) = visitor.call("GET", "/payment-methods")["items"]
        assert method["label"] == text
        assert said(visitor.send("GET", f"/products?q={text[:90]}")) == "200"
        words = dict.fromkeys(("title", "description", "category", "image"), text)
        sku = f"odd-{text.encode().hex()[:20]}"
        add_product(scene, sku, words)
        shown = visitor.call("GET", f"/products/{sku}")
        assert {name: shown[name] for name in words} == words


def add_product(scene: Scene, sku: str, words: Mapping[str, str]) -> None:
    with visiting(scene.shop.url) as admin:
        admin.sign_in(scene.shop.admin())
        price = {"amount": 100, "currency": "EUR"}
        admin.call("POST", "/products", {**words, "sku": sku, "price": price})


@pytest.mark.parametrize("text", ODD[:2])
def test_the_storefront_shows_html_as_text(page: "Page", scene: Scene, text: str) -> None:
    """A script that ran, or tried to, fails the page besides."""
    sku = f"shown-{text.encode().hex()[:20]}"
    add_product(scene, sku, {"title": text, "description": text, "category": text})
    for path in (f"/products/{sku}", f"/?q={quote(text)}"):
        visit(page, f"{scene.shop.url}{path}")
        assert text in page.locator("main").inner_text()
        assert page.locator("main script, img[src=x]").count() == 0


def test_the_banks_page_escapes_where_it_leads_back_to(scene: Scene) -> None:
    secret = {"Authorization": f"Bearer {scene.keys.bank_secret}"}
    with httpx.Client(base_url=scene.shop.url, headers=secret) as bank:
        card = {"amount": "5", "currency": "eur", "payment_method": "tok_declined"}
        intent = bank.post("/v1/payment_intents", data=card).json()["id"]
        back = {"return_url": f'{scene.shop.url}/"><script>alert(1)</script>'}
        bank.post(f"/v1/payment_intents/{intent}/confirm", data=back)
        page = bank.get(f"/bank/3ds/{intent}").text
    assert "&lt;script&gt;" in page
    assert "<script>" not in page


@pytest.mark.parametrize(
    ("asked", "allowed"),
    [
        ("OPTIONS /api/v1/users/me", "DELETE, GET, PATCH"),
        ("DELETE /api/v1/products/tide-mug", "GET, PATCH"),
        ("GET /ops/api/audit", "POST"),
    ],
)
def test_a_method_that_is_not_offered_is_told_those_that_are(
    shop: RunningShop, asked: str, allowed: str
) -> None:
    method, path = asked.split()
    answer = httpx.request(method, f"{shop.url}{path}")
    assert (said(answer), answer.headers["allow"]) == ("405 method-not-allowed", allowed)
