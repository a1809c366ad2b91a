"""Where transactions really overlap: the same service on PostgreSQL."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable

import httpx
import pytest
import sqlalchemy as sa

from orders.app import create_app
from orders.messages import StockRejected
from orders.settings import OrdersSettings
from orders.tables import orders as orders_table
from shopkit.app import Service
from shopkit.auth import Signer
from shopkit.testing import client_of, running, token
from shopkit.world import World

Quote = Callable[..., str]
ANNA = "00000000-0000-7000-8000-00000000000a"
CARD = "00000000-0000-7000-8000-0000000000ca"


@pytest.fixture
async def orders(orders_settings: OrdersSettings, postgres_url: str) -> AsyncIterator[Service]:
    values = orders_settings.model_dump() | {"database_url": postgres_url, "lock_timeout": 20}
    service = create_app(OrdersSettings(**values), World())
    await service.migrate()
    async with running(service):
        yield service


@pytest.fixture
async def anna(orders: Service, keys: Signer) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(orders, authorization=f"Bearer {token(keys, ANNA)}") as client:
        yield client


async def place(client: httpx.AsyncClient, quote: str, key: str | None = None) -> httpx.Response:
    body = {"quote": quote, "payment_method_id": CARD}
    headers = {"Idempotency-Key": key or str(uuid.uuid4())}
    return await client.post("/api/v1/orders", json=body, headers=headers)


async def test_equal_requests_and_one_quote_with_other_keys_are_one_order(
    orders: Service, anna: httpx.AsyncClient, quote: Quote
) -> None:
    same = quote()
    answers = await asyncio.gather(*(place(anna, same, f"k{n % 2}") for n in range(6)))
    accepted = {answer.json()["id"] for answer in answers if answer.status_code == 202}
    refused = {answer.json()["type"] for answer in answers if answer.status_code != 202}
    assert len(accepted) == 1
    assert refused == {"urn:shop:problem:quote-used"}
    async with orders.db.read() as tx:
        assert await tx.scalar(sa.select(sa.func.count()).select_from(orders_table)) == 1


async def test_orders_that_are_placed_at_once_do_not_pass_the_limit(
    anna: httpx.AsyncClient, quote: Quote
) -> None:
    answers = await asyncio.gather(*(place(anna, quote()) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [202] * 5 + [429] * 3


async def test_cart_changes_at_once_lose_nothing_and_a_rejected_order_comes_back(
    orders: Service, anna: httpx.AsyncClient, quote: Quote
) -> None:
    await asyncio.gather(
        *(anna.put(f"/api/v1/cart/items/sku-{n}", json={"quantity": n}) for n in range(1, 6))
    )
    placed = (await place(anna, quote(("sku-1", 1, 500), ("sku-2", 2, 500)))).json()
    left = {line["sku"] for line in (await anna.get("/api/v1/cart")).json()["lines"]}
    assert left == {"sku-3", "sku-4", "sku-5"}

    rejected = StockRejected(order_id=placed["id"], sku="sku-1", reason="out-of-stock")
    async with orders.db.transaction("test") as tx:
        await orders.app.state.engine.tell(tx, placed["id"], rejected)
    lines = (await anna.get("/api/v1/cart")).json()["lines"]
    assert {line["sku"]: line["quantity"] for line in lines} == {f"sku-{n}": n for n in range(1, 6)}
    page = (await anna.get("/api/v1/orders?limit=1")).json()
    assert [(order["id"], order["state"]) for order in page["items"]] == [
        (placed["id"], "REJECTED")
    ]
