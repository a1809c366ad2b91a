from typing import Any

import httpx
import pytest

from shopkit.app import Service
from shopkit.auth import Signer, Verifier

Client = httpx.AsyncClient


async def sold(keeper: Client, sku: str, amount: int, currency: str = "EUR") -> None:
    price = {"amount": amount, "currency": currency}
    body = {"sku": sku, "title": sku.title(), "category": "things", "price": price}
    assert (await keeper.post("/api/v1/products", json=body)).status_code == 201


async def quoted(client: Client, *lines: tuple[str, int]) -> httpx.Response:
    body = {"lines": [{"sku": sku, "quantity": quantity} for sku, quantity in lines]}
    return await client.post("/api/v1/quotes", json=body)


def claims_of(catalog: Service, keys: dict[str, Any], quote: str) -> dict[str, Any]:
    import json

    verifier = Verifier.from_json(
        json.dumps(keys), issuer="catalog", audience="orders", clock=catalog.clock
    )
    return verifier.verify(quote)


async def test_a_quote_is_signed_for_orders(
    keeper: Client, shopper: Client, catalog: Service
) -> None:
    await sold(keeper, "mug", 1200)
    await sold(keeper, "book", 900)
    quote = (await quoted(shopper, ("mug", 2), ("book", 1))).json()
    assert quote["total"] == {"amount": 3300, "currency": "EUR"}
    keys = (await shopper.get("/.well-known/quote-keys.json")).json()
    claims = claims_of(catalog, keys, quote["quote"])
    assert (claims["total"], claims["currency"]) == (3300, "EUR")
    assert (claims["jti"], claims["lines"]) == (quote["quote_id"], quote["lines"])
    assert claims["exp"] - claims["iat"] == 600
    assert claims["lines"][1] == {"sku": "mug", "title": "Mug", "quantity": 2, "unit_price": 1200}


async def test_published_keys_hold_nothing_private(shopper: Client, quote_keys: str) -> None:
    published = (await shopper.get("/.well-known/quote-keys.json")).json()["keys"]
    assert [set(key) & {"d", "k", "p", "q"} for key in published] == [set()]
    assert published == Signer.from_json(quote_keys).public()["keys"]


async def test_a_new_price_is_in_the_next_quote(keeper: Client, shopper: Client) -> None:
    await sold(keeper, "mug", 1200)
    path = "/api/v1/products/mug"
    etag = (await keeper.get(path)).headers["ETag"]
    change = {"price": {"amount": 1300, "currency": "EUR"}}
    await keeper.patch(path, json=change, headers={"If-Match": etag})
    assert (await quoted(shopper, ("mug", 1))).json()["total"]["amount"] == 1300


async def test_what_is_not_sold_is_named(keeper: Client, shopper: Client) -> None:
    await sold(keeper, "mug", 1200)
    answer = await quoted(shopper, ("mug", 1), ("moon", 1))
    assert answer.status_code == 422
    assert "moon" in answer.json()["detail"]
    assert answer.json()["errors"] == [{"field": "lines", "message": "moon cannot be quoted"}]


@pytest.mark.parametrize("quantity", [0, 100, -1])
async def test_a_quantity_is_one_to_ninety_nine(
    keeper: Client, shopper: Client, quantity: int
) -> None:
    await sold(keeper, "mug", 1200)
    assert (await quoted(shopper, ("mug", quantity))).status_code == 422


async def test_two_currencies_make_no_total(keeper: Client, shopper: Client) -> None:
    await sold(keeper, "mug", 1200)
    await sold(keeper, "cup", 1200, "USD")
    assert "one currency" in (await quoted(shopper, ("mug", 1), ("cup", 1))).json()["detail"]
