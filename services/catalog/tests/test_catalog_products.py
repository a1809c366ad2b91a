from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from catalog.app import create_app
from catalog.settings import CatalogSettings
from shopkit.auth import Signer
from shopkit.clock import ManualClock
from shopkit.testing import client_of, running, token
from shopkit.world import World

Client = httpx.AsyncClient

SHELF = [
    ("mug-blue", "Blue mug", "kitchen", 1200),
    ("mug-red", "Red mug", "kitchen", 1100),
    ("lamp-desk", "Desk lamp", "lights", 3900),
    ("lamp-floor", "Floor lamp", "lights", 8900),
    ("book-tea", "The book of tea", "books", 1100),
]


def product(sku: str, title: str, category: str, amount: int) -> dict[str, Any]:
    price = {"amount": amount, "currency": "EUR"}
    text = f"A {title.lower()} for every day"
    return {
        "sku": sku,
        "title": title,
        "category": category,
        "price": price,
        "description": text,
        "image": f"/images/{sku}.svg",
    }


async def stocked(keeper: Client) -> None:
    for item in SHELF:
        answer = await keeper.post("/api/v1/products", json=product(*item))
        assert answer.status_code == 201, answer.text


async def skus(client: Client, **query: Any) -> list[str]:
    answer = await client.get("/api/v1/products", params=query)
    assert answer.status_code == 200, answer.text
    return [item["sku"] for item in answer.json()["items"]]


async def adjust(client: Client, sku: str, delta: int, reason: str, key: str) -> httpx.Response:
    body, headers = {"delta": delta, "reason": reason}, {"Idempotency-Key": key}
    return await client.post(f"/api/v1/stock/{sku}/adjust", json=body, headers=headers)


async def test_products_are_searched_filtered_and_sorted(keeper: Client, shopper: Client) -> None:
    await stocked(keeper)
    assert await skus(shopper, q="mug") == ["mug-blue", "mug-red"]
    assert await skus(shopper, q="LAM des") == ["lamp-desk"]
    assert await skus(shopper, q="nothing") == []
    assert await skus(shopper, q='" OR 1') == []
    assert await skus(shopper, category="lights", sort="-price") == ["lamp-floor", "lamp-desk"]
    assert await skus(shopper, min=1200, max=3900, sort="price") == ["mug-blue", "lamp-desk"]


@pytest.mark.parametrize("sort", ["title", "price", "-price"])
async def test_pages_show_every_product_once(keeper: Client, shopper: Client, sort: str) -> None:
    await stocked(keeper)
    seen: list[str] = []
    query: dict[str, Any] = {"sort": sort, "limit": 2}
    while True:
        page = (await shopper.get("/api/v1/products", params=query)).json()
        seen += [item["sku"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    assert seen == await skus(shopper, sort=sort)
    assert sorted(seen) == sorted(sku for sku, *_ in SHELF)


async def test_a_cursor_of_another_order_is_refused(keeper: Client, shopper: Client) -> None:
    await stocked(keeper)
    page = (await shopper.get("/api/v1/products", params={"limit": 1})).json()
    query = {"sort": "price", "cursor": page["next_cursor"]}
    answer = await shopper.get("/api/v1/products", params=query)
    assert (answer.status_code, answer.json()["type"]) == (422, "urn:shop:problem:validation")


async def test_an_unchanged_list_is_not_sent_again(keeper: Client, shopper: Client) -> None:
    await stocked(keeper)
    first = await shopper.get("/api/v1/products")
    headers = {"If-None-Match": first.headers["ETag"]}
    same = await shopper.get("/api/v1/products", headers=headers)
    assert (same.status_code, same.content) == (304, b"")
    await adjust(keeper, "mug-red", 3, "received", "k1")
    assert (await shopper.get("/api/v1/products", headers=headers)).status_code == 200


async def test_a_list_may_be_two_seconds_old(
    catalog_settings: CatalogSettings, keys: Signer
) -> None:
    clock = ManualClock(datetime(2026, 1, 1, tzinfo=UTC))
    patient = catalog_settings.model_copy(update={"list_cache": 2, "database_url": None})
    service = create_app(patient, World(clock=clock))
    bearer = f"Bearer {token(keys, 'a' * 32, 'admin', clock=clock)}"
    async with running(service), client_of(service, authorization=bearer) as keeper:
        assert await skus(keeper) == []
        await keeper.post("/api/v1/products", json=product(*SHELF[0]))
        assert await skus(keeper) == []
        clock.advance(2.1)
        assert await skus(keeper) == ["mug-blue"]


async def test_one_product_tells_what_is_available(keeper: Client, shopper: Client) -> None:
    await stocked(keeper)
    await adjust(keeper, "mug-red", 3, "received", "k1")
    answer = await shopper.get("/api/v1/products/mug-red")
    assert answer.json()["available"] == 3
    assert answer.json()["price"] == {"amount": 1100, "currency": "EUR"}
    headers = {"If-None-Match": answer.headers["ETag"]}
    assert (await shopper.get("/api/v1/products/mug-red", headers=headers)).status_code == 304
    assert (await shopper.get("/api/v1/products/none")).status_code == 404


async def test_only_admins_change_the_shelf(keeper: Client, shopper: Client) -> None:
    await stocked(keeper)
    assert (await shopper.post("/api/v1/products", json=product(*SHELF[0]))).status_code == 401
    assert (await adjust(shopper, "mug-red", 1, "received", "k1")).status_code == 401


async def test_a_sku_is_sold_once(keeper: Client) -> None:
    await stocked(keeper)
    answer = await keeper.post("/api/v1/products", json=product(*SHELF[0]))
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:shop:problem:conflict")


async def test_nobody_overwrites_a_change_they_have_not_seen(keeper: Client) -> None:
    await stocked(keeper)
    path = "/api/v1/products/mug-red"
    seen = (await keeper.get(path)).headers["ETag"]
    assert (await keeper.patch(path, json={"title": "Mug"})).status_code == 428
    changed = await keeper.patch(path, json={"title": "Big mug"}, headers={"If-Match": seen})
    assert changed.json()["title"] == "Big mug"
    late = await keeper.patch(path, json={"title": "Small mug"}, headers={"If-Match": seen})
    assert (late.status_code, late.json()["type"]) == (412, "urn:shop:problem:precondition-failed")
    assert await skus(keeper, q="big") == ["mug-red"]
    assert await skus(keeper, q="red mug") == ["mug-red"]


async def test_a_sale_in_between_does_not_spoil_an_edit(keeper: Client) -> None:
    await stocked(keeper)
    path = "/api/v1/products/mug-red"
    seen = (await keeper.get(path)).headers["ETag"]
    await adjust(keeper, "mug-red", 1, "received", "k1")
    price = {"price": {"amount": 999, "currency": "EUR"}}
    assert (await keeper.patch(path, json=price, headers={"If-Match": seen})).status_code == 200


async def test_one_key_adjusts_once(keeper: Client) -> None:
    await stocked(keeper)
    first = await adjust(keeper, "mug-red", 5, "received", "k1")
    again = await adjust(keeper, "mug-red", 5, "received", "k1")
    assert first.json() == {"sku": "mug-red", "on_hand": 5, "held": 0, "available": 5}
    assert (again.content, again.headers["Idempotent-Replay"]) == (first.content, "true")
    lost = await adjust(keeper, "mug-red", -2, "lost", "k2")
    assert lost.json()["on_hand"] == 3


@pytest.mark.parametrize(
    ("delta", "reason", "status"),
    [(-6, "lost", 409), (1, "lost", 422), (-1, "received", 422), (0, "returned", 422)],
)
async def test_an_impossible_adjustment_is_refused(
    keeper: Client, delta: int, reason: str, status: int
) -> None:
    await stocked(keeper)
    await adjust(keeper, "mug-red", 5, "received", "k1")
    assert (await adjust(keeper, "mug-red", delta, reason, "k2")).status_code == status
    assert (await keeper.get("/api/v1/products/mug-red")).json()["available"] == 5


async def test_an_unknown_product_has_no_stock(keeper: Client) -> None:
    assert (await adjust(keeper, "none", 1, "received", "k1")).status_code == 404


async def test_adjusting_needs_a_key(keeper: Client) -> None:
    await stocked(keeper)
    body = {"delta": 1, "reason": "received"}
    answer = await keeper.post("/api/v1/stock/mug-red/adjust", json=body)
    assert answer.status_code == 400
