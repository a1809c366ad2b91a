import asyncio
import json
import uuid
from collections.abc import Callable

import httpx

from orders.app import create_app
from orders.events import Events
from orders.messages import ActionRequired, StockRejected, StockReserved
from orders.settings import OrdersSettings
from shopkit.app import Service
from shopkit.auth import Signer
from shopkit.messages import Body
from shopkit.testing import client_of, running, token
from shopkit.world import World

Quote = Callable[..., str]
CARD = "00000000-0000-7000-8000-0000000000ca"
ANNA = "00000000-0000-7000-8000-00000000000a"


async def place(client: httpx.AsyncClient, quote: Quote) -> str:
    body = {"quote": quote(), "payment_method_id": CARD}
    headers = {"Idempotency-Key": str(uuid.uuid4())}
    answer = await client.post("/api/v1/orders", json=body, headers=headers)
    return str(answer.json()["id"])


async def tell(service: Service, message: Body) -> None:
    async with service.db.transaction("test") as tx:
        await service.app.state.engine.tell(tx, message.model_dump()["order_id"], message)


def data(text: str) -> dict[str, str]:
    (line,) = (line for line in text.splitlines() if line.startswith("data: "))
    return dict(json.loads(line.removeprefix("data: ")))


async def test_each_entry_arrives_when_it_happens_and_the_stream_ends_with_the_order(
    orders: Service, anna: httpx.AsyncClient, quote: Quote
) -> None:
    order_id = await place(anna, quote)
    events: Events = orders.app.state.events
    stream = events.of(order_id, 0)
    assert data(await anext(stream))["event"] == "PLACED"

    waiting = asyncio.ensure_future(anext(stream))
    await tell(orders, StockRejected(order_id=order_id, sku="tea", reason="out-of-stock"))
    last = await waiting
    assert last.startswith("id: 2\n")
    assert (data(last)["event"], data(last)["state"]) == ("StockRejected", "REJECTED")
    assert [text async for text in stream] == []


async def test_a_change_made_by_another_replica_is_seen_too(
    orders: Service, anna: httpx.AsyncClient, quote: Quote
) -> None:
    order_id = await place(anna, quote)
    stream = orders.app.state.events.of(order_id, 1)
    waiting = asyncio.ensure_future(anext(stream))
    orders.app.state.events._watching._wakers.clear()
    await tell(orders, StockReserved(order_id=order_id))
    assert data(await waiting)["event"] == "StockReserved"
    await stream.aclose()


async def test_a_reader_that_comes_back_gets_what_it_missed(
    orders: Service, anna: httpx.AsyncClient, quote: Quote
) -> None:
    order_id = await place(anna, quote)
    await tell(orders, StockReserved(order_id=order_id))
    await tell(orders, ActionRequired(order_id=order_id, url="https://bank/3ds"))
    shown = (await anna.get(f"/api/v1/orders/{order_id}")).json()
    assert (shown["state"], shown["action_url"]) == ("PAYMENT_ACTION", "https://bank/3ds")
    stream = orders.app.state.events.of(order_id, 1)
    assert [data(await anext(stream))["event"] for _ in range(2)] == [
        "StockReserved",
        "ActionRequired",
    ]
    await stream.aclose()


async def test_the_events_of_an_order_that_has_ended_end_too(
    orders: Service, anna: httpx.AsyncClient, quote: Quote
) -> None:
    order_id = await place(anna, quote)
    await tell(orders, StockRejected(order_id=order_id, sku="tea", reason="out-of-stock"))
    path = f"/api/v1/orders/{order_id}/events"
    whole = await anna.get(path)
    assert whole.headers["Content-Type"].startswith("text/event-stream")
    assert [data(text)["event"] for text in whole.text.strip().split("\n\n")] == [
        "PLACED",
        "StockRejected",
    ]
    assert (await anna.get(path, headers={"Last-Event-ID": "2"})).text == ""


async def test_a_draining_service_asks_its_readers_to_come_back(
    orders: Service, anna: httpx.AsyncClient, quote: Quote
) -> None:
    stream = orders.app.state.events.of(await place(anna, quote), 1)
    waiting = asyncio.ensure_future(anext(stream))
    orders.drain.stop()
    assert await waiting == "retry: 1000\n\n"


async def test_a_silent_stream_says_that_it_lives(
    orders_settings: OrdersSettings, keys: Signer, quote: Quote
) -> None:
    quick = orders_settings.model_copy(update={"events_heartbeat": 0.01, "events_poll": 0.01})
    service = create_app(quick, World())
    authorization = f"Bearer {token(keys, ANNA)}"
    async with running(service), client_of(service, authorization=authorization) as anna:
        stream = service.app.state.events.of(await place(anna, quote), 1)
        assert (await anext(stream)).startswith(":")
        await stream.aclose()
