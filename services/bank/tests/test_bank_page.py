import base64
import hashlib
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

Client = httpx.AsyncClient


@pytest.fixture
async def waiting(http: Client) -> dict[str, Any]:
    """An intent that the customer has to confirm at the bank."""
    form = {"amount": "1299", "currency": "eur", "payment_method": "tok_requires_action"}
    intent = (await http.post("/v1/payment_intents", data=form)).json()
    confirm = f"/v1/payment_intents/{intent['id']}/confirm"
    back = {"return_url": "http://127.0.0.1:8080/#/orders/7"}
    return dict((await http.post(confirm, data=back)).json())


@pytest.fixture
async def browser(http: Client) -> AsyncIterator[Client]:
    """Has no secret key."""
    async with Client(transport=http._transport, base_url="http://bank") as client:
        yield client


def page_of(intent: dict[str, Any]) -> str:
    url: str = intent["next_action"]["redirect_to_url"]["url"]
    return httpx.URL(url).path


async def test_the_page_asks_for_the_amount(waiting: dict[str, Any], browser: Client) -> None:
    assert waiting["status"] == "requires_action"
    page = await browser.get(page_of(waiting))
    assert "12.99 EUR" in page.text


async def test_the_policy_allows_the_page_its_own_style_and_nothing_else(
    waiting: dict[str, Any], browser: Client
) -> None:
    page = await browser.get(page_of(waiting))
    style = page.text.partition("<style>")[2].partition("</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; frame-ancestors 'none'"
    assert page.headers["Content-Security-Policy"] == policy


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        ("approve", "succeeded"),
        ("refuse", "requires_payment_method"),
        ("", "requires_payment_method"),
    ],
)
async def test_the_customer_decides_and_returns_to_the_shop(
    waiting: dict[str, Any], browser: Client, http: Client, answer: str, status: str
) -> None:
    done = await browser.post(page_of(waiting), data={"answer": answer})
    assert done.status_code == 303
    assert done.headers["Location"] == "http://127.0.0.1:8080/#/orders/7"
    looked = await http.get(f"/v1/payment_intents/{waiting['id']}")
    assert looked.json()["status"] == status


async def test_a_second_click_changes_nothing(
    waiting: dict[str, Any], browser: Client, http: Client
) -> None:
    for answer in ("approve", "refuse"):
        await browser.post(page_of(waiting), data={"answer": answer})
    looked = await http.get(f"/v1/payment_intents/{waiting['id']}")
    assert looked.json()["status"] == "succeeded"
    assert "nothing to confirm" in (await browser.get(page_of(waiting))).text


async def test_the_page_never_leads_to_another_site(http: Client) -> None:
    form = {"amount": "5", "currency": "eur", "payment_method": "tok_requires_action"}
    intent = (await http.post("/v1/payment_intents", data=form)).json()
    confirm = f"/v1/payment_intents/{intent['id']}/confirm"
    answer = await http.post(confirm, data={"return_url": "http://evil.example/"})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "return_url")
