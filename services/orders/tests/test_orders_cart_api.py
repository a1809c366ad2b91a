import httpx

from orders import cart_store
from shopkit.app import Service

ANNA = "00000000-0000-7000-8000-00000000000a"


async def test_a_cart_is_empty_at_first_and_holds_what_is_put_there(
    anna: httpx.AsyncClient,
) -> None:
    assert (await anna.get("/api/v1/cart")).json() == {"lines": []}
    await anna.put("/api/v1/cart/items/tea", json={"quantity": 2})
    await anna.put("/api/v1/cart/items/pot", json={"quantity": 1})
    answer = await anna.put("/api/v1/cart/items/tea", json={"quantity": 3})
    lines = [{"sku": "tea", "quantity": 3}, {"sku": "pot", "quantity": 1}]
    assert (answer.status_code, answer.json()) == (200, {"lines": lines})
    assert (await anna.get("/api/v1/cart")).json() == {"lines": lines}


async def test_everybody_has_an_own_cart(anna: httpx.AsyncClient, bert: httpx.AsyncClient) -> None:
    await anna.put("/api/v1/cart/items/tea", json={"quantity": 2})
    assert (await bert.get("/api/v1/cart")).json() == {"lines": []}


async def test_a_removed_line_is_gone_and_removing_twice_is_fine(anna: httpx.AsyncClient) -> None:
    await anna.put("/api/v1/cart/items/tea", json={"quantity": 2})
    for _ in range(2):
        answer = await anna.delete("/api/v1/cart/items/tea")
        assert (answer.status_code, answer.json()) == (200, {"lines": []})


async def test_a_quantity_is_from_1_to_99(anna: httpx.AsyncClient) -> None:
    for quantity in (0, 100, "2", 1.5):
        answer = await anna.put("/api/v1/cart/items/tea", json={"quantity": quantity})
        assert answer.status_code == 422
        assert answer.json()["type"] == "urn:shop:problem:validation"


async def test_a_51st_line_is_refused_with_what_to_do(
    orders: Service, anna: httpx.AsyncClient
) -> None:
    async with orders.db.transaction("test") as tx:
        await cart_store.change(tx, ANNA, lambda _: {f"sku-{number}": 1 for number in range(50)})
    answer = await anna.put("/api/v1/cart/items/one-more", json={"quantity": 1})
    assert answer.status_code == 409
    assert "remove one first" in answer.json()["detail"]


async def test_a_cart_needs_a_customer(anna: httpx.AsyncClient) -> None:
    answer = await anna.get("/api/v1/cart", headers={"Authorization": "Bearer nonsense"})
    assert answer.status_code == 401
