from typing import Any
from uuid import uuid4

import httpx
import pytest

from payments.domain import payment_id
from shopkit.auth import Signer
from shopkit.testing import client_of, token, until

Town = Any
Client = httpx.AsyncClient
METHODS = "/api/v1/payment-methods"


def keyed(key: str = "") -> dict[str, str]:
    return {"Idempotency-Key": key or str(uuid4())}


async def refund(admin: Client, order_id: str, key: str = "", **body: Any) -> httpx.Response:
    path = f"/api/v1/payments/{payment_id(order_id)}/refunds"
    return await admin.post(path, json=body, headers=keyed(key))


async def shown(client: Client, order_id: str) -> dict[str, Any]:
    return dict((await client.get(f"/api/v1/payments/{payment_id(order_id)}")).json())


async def charged(town: Town, order_id: str, token: str = "tok_ok") -> None:
    await town.charge(order_id, await town.method(token))
    assert (await town.heard())[0] == "Charged"


async def test_a_method_is_added_listed_and_removed(customer: Client) -> None:
    body = {"token": "tok_ok", "label": "My card"}
    made = await customer.post(METHODS, json=body, headers=keyed())
    assert made.status_code == 201
    assert "token" not in made.json()
    path = made.headers["Location"]
    assert (await customer.get(path)).json()["label"] == "My card"
    assert [m["id"] for m in (await customer.get(METHODS)).json()["items"]] == [made.json()["id"]]
    assert (await customer.delete(path)).status_code == 204
    assert (await customer.get(METHODS)).json() == {"items": [], "next_cursor": None}
    assert (await customer.delete(path)).status_code == 404


async def test_one_key_adds_one_method(customer: Client) -> None:
    body = {"token": "tok_ok", "label": "My card"}
    first, again = [await customer.post(METHODS, json=body, headers=keyed("k")) for _ in "12"]
    assert first.json() == again.json()
    assert len((await customer.get(METHODS)).json()["items"]) == 1


@pytest.mark.parametrize(
    "body",
    [
        {"token": "4242424242424242", "label": "x"},
        {"token": "tok_4242424242424242", "label": "x"},
        {"token": "tok_ok", "label": "4242 4242 4242 4242"},
        {"token": "tok_ok", "label": ""},
        {"token": "tok_ok", "label": "x", "number": "4242424242424242"},
    ],
)
async def test_a_card_number_never_enters(customer: Client, body: dict[str, str]) -> None:
    answer = await customer.post(METHODS, json=body, headers=keyed())
    assert answer.status_code == 422
    assert "4242" not in answer.text
    assert (await customer.get(METHODS)).json()["items"] == []


async def test_methods_of_others_do_not_exist(town: Town, customer: Client, keys: Signer) -> None:
    method = await town.method()
    bearer = f"Bearer {token(keys, str(uuid4()))}"
    async with client_of(town.payments, authorization=bearer) as other:
        assert (await other.get(f"{METHODS}/{method}")).status_code == 404
        assert (await other.delete(f"{METHODS}/{method}")).status_code == 404
        assert (await other.get(METHODS)).json()["items"] == []
    assert (await customer.get(f"{METHODS}/{method}")).status_code == 200


async def test_a_payment_is_shown_to_its_owner_and_admins(
    town: Town, order_id: str, customer: Client, admin: Client, keys: Signer
) -> None:
    await charged(town, order_id)
    seen = await shown(customer, order_id)
    assert (seen["status"], seen["order_id"]) == ("CHARGED", order_id)
    assert seen["charge"] == {"amount": 500, "currency": "EUR"}
    assert await shown(admin, order_id) == seen
    bearer = f"Bearer {token(keys, str(uuid4()))}"
    async with client_of(town.payments, authorization=bearer) as other:
        assert (await shown(other, order_id))["status"] == 404
    async with client_of(town.payments) as nobody:
        assert (await shown(nobody, order_id))["status"] == 401


async def test_a_merchant_refund_is_partial_and_never_too_large(
    town: Town, order_id: str, admin: Client
) -> None:
    await charged(town, order_id)
    part = await refund(admin, order_id, amount=200, reason="late")
    assert (part.status_code, part.json()["status"]) == (202, "PENDING")

    async def given() -> bool:
        return (await shown(admin, order_id))["refunded"] == 200

    await until(given, 20)
    too_large = await refund(admin, order_id, amount=301)
    assert too_large.json()["type"] == "urn:shop:problem:refund-too-large"
    await town.cancel(order_id)
    cancelled = {"order_id": order_id, "refunded": 500}
    assert await town.heard() == ("ChargeCancelled", cancelled)
    assert await town.bank_ledger() == [("charge", 500), ("refund", -200), ("refund", -300)]


async def test_one_key_refunds_once(town: Town, order_id: str, admin: Client) -> None:
    await charged(town, order_id)
    first, again = [await refund(admin, order_id, "k", amount=200) for _ in "12"]
    assert first.json() == again.json()
    assert len((await shown(admin, order_id))["refunds"]) == 1


async def test_a_failed_merchant_refund_shows_as_failed(
    town: Town, order_id: str, admin: Client
) -> None:
    await charged(town, order_id, "tok_refund_fails_once")
    await refund(admin, order_id)

    async def failed() -> bool:
        return [r["status"] for r in (await shown(admin, order_id))["refunds"]] == ["FAILED"]

    await until(failed, 20)
    assert (await refund(admin, order_id)).json()["amount"] == 500


async def test_customers_do_not_refund(town: Town, order_id: str, customer: Client) -> None:
    await charged(town, order_id)
    assert (await refund(customer, order_id)).status_code == 403


async def test_what_was_not_charged_is_not_refunded(
    town: Town, order_id: str, admin: Client
) -> None:
    assert (await refund(admin, order_id)).status_code == 404
    await town.charge(order_id, await town.method("tok_declined"))
    await town.heard()
    assert (await refund(admin, order_id)).status_code == 422
