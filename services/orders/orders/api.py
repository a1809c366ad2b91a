"""The HTTP interface: cart and orders."""

from typing import Annotated, NoReturn, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Path, Request, Response
from fastapi.responses import StreamingResponse

from orders import cart_store, carts, events, order_store, views
from orders.carts import MOST_LINES, Cart, CartFull
from orders.checkout import Checkout
from orders.domain import ENDING, Cancel, State
from orders.events import Events
from shopkit.auth import Customer
from shopkit.db import Tx
from shopkit.engine import SagaEngine
from shopkit.errors import Problem, Slug
from shopkit.http import Db
from shopkit.idempotency import Answer, Idempotent
from shopkit.pages import MOST, Cursor, Limit, Page, decode_cursor, encode_cursor

router = APIRouter(prefix="/api/v1")


class EventStream(StreamingResponse):
    media_type = events.MEDIA_TYPE


# As catalog names them.
Sku = Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]


async def _checkout(request: Request) -> Checkout:
    return cast(Checkout, request.app.state.checkout)


async def _engine(request: Request) -> SagaEngine:
    return cast(SagaEngine, request.app.state.engine)


async def _events(request: Request) -> Events:
    return cast(Events, request.app.state.events)


# --- cart ----------------------------------------------------------------------------------------


@router.get("/cart")
async def get_cart(caller: Customer, db: Db) -> views.CartView:
    async with db.read() as tx:
        return views.CartView.of(await cart_store.read(tx, caller.id))


@router.put("/cart/items/{sku}")
async def put_item(sku: Sku, body: views.Quantity, caller: Customer, db: Db) -> views.CartView:
    def put(cart: Cart) -> Cart:
        return carts.put(cart, sku, body.quantity)

    try:
        async with db.transaction("change_cart") as tx:
            return views.CartView.of(await cart_store.change(tx, caller.id, put))
    except CartFull as error:
        detail = f"A cart has at most {MOST_LINES} lines; remove one first."
        raise Problem(Slug.CONFLICT, detail) from error


@router.delete("/cart/items/{sku}")
async def delete_item(sku: Sku, caller: Customer, db: Db) -> views.CartView:
    """Removing what is not there is fine."""
    async with db.transaction("change_cart") as tx:
        cart = await cart_store.change(tx, caller.id, lambda cart: carts.without(cart, sku))
    return views.CartView.of(cart)


# --- orders --------------------------------------------------------------------------------------


@router.post("/orders", status_code=202, response_model=views.Order)
async def place_order(
    body: views.NewOrder,
    caller: Customer,
    idem: Idempotent,
    checkout: Annotated[Checkout, Depends(_checkout)],
) -> Response:
    """The order is accepted; follow it at `Location` or `Location`/events."""

    async def work(tx: Tx) -> Answer:
        order = await checkout.place(tx, caller.id, body)
        return Answer(202, order, {"Location": f"/api/v1/orders/{order.id}"})

    return await idem.run("place_order", work, user=caller.id)


@router.get("/orders")
async def list_orders(
    caller: Customer, db: Db, cursor: Cursor = None, limit: Limit = 20
) -> Page[views.Order]:
    """Newest first."""
    before = None if cursor is None else _order_id(cursor)
    async with db.read() as tx:
        rows = await order_store.page(tx, caller.id, before, limit + 1)
        items = await order_store.show(tx, rows[:limit])
    more = len(rows) > limit
    return Page(items=items, next_cursor=encode_cursor(items[-1].id) if more else None)


def _order_id(cursor: str) -> str:
    try:
        (text,) = decode_cursor(cursor)
        return str(UUID(str(text)))
    except ValueError as error:
        detail = "`cursor` has to be the `next_cursor` of an earlier page."
        raise Problem(Slug.VALIDATION, detail) from error


@router.get("/orders/{order_id}")
async def get_order(order_id: UUID, caller: Customer, db: Db) -> views.Order:
    async with db.read() as tx:
        return await _shown(tx, str(order_id), caller.id)


async def _shown(tx: Tx, order_id: str, user_id: str) -> views.Order:
    row = await order_store.find(tx, order_id, user_id)
    if row is None:
        _not_found(order_id)
    return (await order_store.show(tx, [row]))[0]


def _not_found(order_id: str) -> NoReturn:
    raise Problem(Slug.NOT_FOUND, f"You have no order {order_id}.")


@router.get("/orders/{order_id}/events", response_class=EventStream)
async def follow_order(
    order_id: UUID,
    caller: Customer,
    db: Db,
    stream: Annotated[Events, Depends(_events)],
    last_event_id: Annotated[int, Header(ge=0, le=MOST)] = 0,
) -> EventStream:
    """Server-sent events: one per entry of the timeline; ends with the order."""
    async with db.read() as tx:
        if await order_store.find(tx, str(order_id), caller.id) is None:
            _not_found(str(order_id))
    texts = stream.of(str(order_id), last_event_id)
    return EventStream(texts, headers=events.HEADERS)


@router.post("/orders/{order_id}/cancel", status_code=202, response_model=views.Order)
async def cancel_order(
    order_id: UUID,
    caller: Customer,
    idem: Idempotent,
    engine: Annotated[SagaEngine, Depends(_engine)],
) -> Response:
    """202 while it can still end without a sale; 409 once the order is confirmed."""

    async def work(tx: Tx) -> Answer:
        row = await order_store.find(tx, str(order_id), caller.id)
        if row is None:
            _not_found(str(order_id))
        if await engine.tell(tx, row.id, Cancel()) is None:
            await _check_ending(tx, row.id)
        return Answer(202, await _shown(tx, row.id, caller.id))

    return await idem.run("cancel_order", work, user=caller.id)


async def _check_ending(tx: Tx, order_id: str) -> None:
    """A second wish is granted by the first."""
    state = await order_store.state(tx, order_id)
    if state not in ENDING:
        raise Problem(Slug.ORDER_NOT_CANCELLABLE, _why_not(state))


def _why_not(state: State) -> str:
    if state is State.REJECTED:
        return "The order was rejected; nothing was charged."
    return f"The order is {state}: it is paid and cannot be cancelled here any more."
