"""Placing, reading and cancelling orders, with nobody there who answers the saga's commands."""

import asyncio
import uuid
from collections.abc import Callable
from typing import Any

import httpx
import sqlalchemy as sa

from orders.app import create_app
from orders.messages import Charged, StockRejected, StockReserved
from orders.settings import OrdersSettings
from orders.tables import orders as orders_table
from shopkit.app import Service
from shopkit.auth import Signer, new_keys
from shopkit.clock import ManualClock, SystemClock
from shopkit.messages import Body
from shopkit.schema import outbox, sagas
from shopkit.testing import client_of, running, token
from shopkit.world import World

Quote = Callable[..., str]
ANNA = "00000000-0000-7000-8000-00000000000a"
CARD = "00000000-0000-7000-8000-0000000000ca"


async def place(client: httpx.AsyncClient, quote: str, key: str | None = None) -> httpx.Response:
    body = {"quote": quote, "payment_method_id": CARD}
    headers = {"Idempotency-Key": key or str(uuid.uuid4())}
    return await client.post("/api/v1/orders", json=body, headers=headers)


async def tell(service: Service, message: Body) -> None:
    async with service.db.transaction("test") as tx:
        await service.app.state.engine.tell(tx, message.model_dump()["order_id"], message)


async def count(service: Service, table: sa.Table) -> Any:
    async with service.db.read() as tx:
        return await tx.scalar(sa.select(sa.func.count()).select_from(table))


def problem(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["type"].removeprefix("urn:shop:problem:")


async def test_an_order_is_accepted_with_the_quoted_prices(
    anna: httpx.AsyncClient, quote: Quote
) -> None:
    answer = await place(anna, quote(("tea", 2, 450), ("pot", 1, 1900)))
    order = answer.json()
    assert answer.status_code == 202
    assert answer.headers["Location"] == f"/api/v1/orders/{order['id']}"
    assert order["state"] == "RESERVING"
    assert order["total"] == {"amount": 2800, "currency": "EUR"}
    assert [(line["sku"], line["quantity"], line["unit_price"]) for line in order["lines"]] == [
        ("pot", 1, 1900),
        ("tea", 2, 450),
    ]
    assert [entry["event"] for entry in order["timeline"]] == ["PLACED"]
    assert (await anna.get(answer.headers["Location"])).json() == order


async def test_a_repeated_request_is_one_order(
    orders: Service, anna: httpx.AsyncClient, quote: Quote
) -> None:
    same = quote()
    first, second = await place(anna, same, "k"), await place(anna, same, "k")
    assert second.json() == first.json()
    assert second.headers["Idempotent-Replay"] == "true"
    assert await count(orders, orders_table) == await count(orders, sagas) == 1


async def test_two_equal_requests_at_once_are_one_order(
    orders: Service, anna: httpx.AsyncClient, quote: Quote
) -> None:
    same = quote()
    answers = await asyncio.gather(*(place(anna, same, "k") for _ in range(5)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert await count(orders, orders_table) == 1


async def test_an_order_needs_an_idempotency_key(anna: httpx.AsyncClient, quote: Quote) -> None:
    body = {"quote": quote(), "payment_method_id": CARD}
    assert problem(await anna.post("/api/v1/orders", json=body)) == (400, "idempotency-key-missing")


async def test_a_quote_becomes_one_order_whatever_the_key(
    orders: Service, anna: httpx.AsyncClient, bert: httpx.AsyncClient, quote: Quote
) -> None:
    same = quote()
    assert (await place(anna, same)).status_code == 202
    assert problem(await place(anna, same)) == (409, "quote-used")
    assert problem(await place(bert, same)) == (409, "quote-used")
    assert await count(orders, orders_table) == 1


async def test_an_expired_quote_is_refused_but_a_request_answered_before_is_answered_again(
    orders_settings: OrdersSettings, keys: Signer, quote: Quote
) -> None:
    clock = ManualClock(SystemClock().now())
    # No work of its own: what waits on a clock that stands still would not stop.
    alone = orders_settings.model_copy(update={"consumers": False})
    service = create_app(alone, World(clock=clock))
    bearer = f"Bearer {token(keys, ANNA, seconds=3600)}"
    async with running(service), client_of(service, authorization=bearer) as anna:
        used, unused = quote(), quote()
        first = await place(anna, used, "k")
        clock.advance(700)
        assert problem(await place(anna, unused)) == (409, "quote-expired")
        assert (await place(anna, used, "k")).json() == first.json()


async def test_a_quote_that_catalog_did_not_sign_is_refused(
    anna: httpx.AsyncClient, quote: Quote
) -> None:
    own = Signer.from_json(new_keys()).sign({"iss": "catalog", "aud": "orders", "exp": 9**10})
    bad = ["nonsense", own, quote(aud="shop"), quote(iss="auth"), quote(total=1)]
    bad += [quote(("tea", 1, 5), ("tea", 1, 5)), quote(jti="not an id"), quote(currency="euro")]
    bad += [quote(lines=[], total=0), quote(("tea", 0, 5)), quote(("tea", -1, -5))]
    for forged in bad:
        assert problem(await place(anna, forged)) == (422, "quote-invalid")


async def test_a_refused_order_leaves_nothing_behind(
    orders: Service, anna: httpx.AsyncClient, quote: Quote
) -> None:
    await anna.put("/api/v1/cart/items/tea", json={"quantity": 2})
    await place(anna, quote(exp=1), "k")
    assert (await anna.get("/api/v1/cart")).json()["lines"] == [{"sku": "tea", "quantity": 2}]
    assert await count(orders, orders_table) == await count(orders, outbox) == 0
    assert (await place(anna, quote(), "k")).status_code == 202


async def test_an_order_takes_its_lines_out_of_the_cart_and_a_rejection_brings_them_back(
    orders: Service, anna: httpx.AsyncClient, quote: Quote
) -> None:
    await anna.put("/api/v1/cart/items/tea", json={"quantity": 2})
    await anna.put("/api/v1/cart/items/cup", json={"quantity": 1})
    order = (await place(anna, quote(("tea", 2, 450)))).json()
    assert (await anna.get("/api/v1/cart")).json()["lines"] == [{"sku": "cup", "quantity": 1}]

    await tell(orders, StockRejected(order_id=order["id"], sku="tea", reason="out-of-stock"))
    lines = (await anna.get("/api/v1/cart")).json()["lines"]
    assert lines == [{"sku": "cup", "quantity": 1}, {"sku": "tea", "quantity": 2}]
    shown = (await anna.get(f"/api/v1/orders/{order['id']}")).json()
    assert (shown["state"], shown["cancel_reason"]) == ("REJECTED", "out-of-stock")
    assert shown["timeline"][-1]["detail"] == "tea: out-of-stock"


async def test_a_sixth_open_order_has_to_wait_until_one_has_ended(
    orders: Service, anna: httpx.AsyncClient, bert: httpx.AsyncClient, quote: Quote
) -> None:
    placed = await asyncio.gather(*(place(anna, quote()) for _ in range(8)))
    accepted = [answer.json()["id"] for answer in placed if answer.status_code == 202]
    refused = [answer for answer in placed if answer.status_code != 202]
    assert len(accepted) == 5
    assert {problem(answer) for answer in refused} == {(429, "rate-limited")}
    assert all("Retry-After" in answer.headers for answer in refused)
    assert (await place(bert, quote())).status_code == 202

    await tell(orders, StockRejected(order_id=accepted[0], sku="tea", reason="out-of-stock"))
    assert (await place(anna, quote())).status_code == 202


async def test_an_order_of_somebody_else_does_not_exist(
    anna: httpx.AsyncClient, bert: httpx.AsyncClient, quote: Quote
) -> None:
    path = f"/api/v1/orders/{(await place(anna, quote())).json()['id']}"
    assert problem(await bert.get(path)) == (404, "not-found")
    assert problem(await bert.get(f"{path}/events")) == (404, "not-found")
    cancel = await bert.post(f"{path}/cancel", headers={"Idempotency-Key": "k"})
    assert problem(cancel) == (404, "not-found")
    assert (await bert.get("/api/v1/orders")).json()["items"] == []


async def test_orders_are_listed_newest_first_in_pages(
    orders: Service, anna: httpx.AsyncClient, quote: Quote
) -> None:
    placed = []
    for _ in range(5):
        placed.append((await place(anna, quote())).json()["id"])
        await tell(orders, StockRejected(order_id=placed[-1], sku="tea", reason="out-of-stock"))
    seen, cursor = [], ""
    while True:
        page = (await anna.get(f"/api/v1/orders?limit=2{cursor}")).json()
        seen += [order["id"] for order in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert sorted(seen) == sorted(placed)
    assert seen == sorted(seen, reverse=True)


async def test_a_cursor_that_is_not_ours_is_refused(anna: httpx.AsyncClient) -> None:
    for cursor in ("nonsense", "WzFd", "WyJhIiwiYiJd"):
        answer = await anna.get(f"/api/v1/orders?cursor={cursor}")
        assert problem(answer) == (422, "validation")


async def cancel(client: httpx.AsyncClient, order_id: str) -> httpx.Response:
    headers = {"Idempotency-Key": str(uuid.uuid4())}
    return await client.post(f"/api/v1/orders/{order_id}/cancel", headers=headers)


async def test_an_order_can_be_cancelled_once_and_asking_again_changes_nothing(
    anna: httpx.AsyncClient, quote: Quote
) -> None:
    order_id = (await place(anna, quote())).json()["id"]
    for _ in range(2):
        answer = await cancel(anna, order_id)
        assert answer.status_code == 202
        assert answer.json()["state"] == "RELEASING"
        events = [entry["event"] for entry in answer.json()["timeline"]]
        assert events == ["PLACED", "CancelRequested"]


async def test_a_paid_or_rejected_order_cannot_be_cancelled(
    orders: Service, anna: httpx.AsyncClient, quote: Quote
) -> None:
    paid, rejected = [(await place(anna, quote())).json()["id"] for _ in range(2)]
    await tell(orders, StockReserved(order_id=paid))
    await tell(orders, Charged(order_id=paid, payment_id="p", amount=900, currency="EUR"))
    await tell(orders, StockRejected(order_id=rejected, sku="tea", reason="out-of-stock"))
    for order_id in (paid, rejected):
        assert problem(await cancel(anna, order_id)) == (409, "order-not-cancellable")
