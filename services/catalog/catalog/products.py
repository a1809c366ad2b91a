"""Products over HTTP: list, one, and the shelf's keepers."""

from typing import Annotated, Any

import sqlalchemy as sa
from fastapi import APIRouter, Header, Query, Request, Response

from catalog import listing, movements
from catalog.cache import ListCache
from catalog.domain import Movement
from catalog.listing import Listing, Sort
from catalog.tables import products, stock
from catalog.views import Adjustment, NewProduct, Product, ProductChange, Sku, StockLevel
from shopkit.auth import Admin
from shopkit.db import Database, Tx
from shopkit.errors import Problem, Slug
from shopkit.fields import Text
from shopkit.http import Db
from shopkit.idempotency import Answer, Idempotent
from shopkit.pages import Cursor, Limit, Page

router = APIRouter(prefix="/api/v1")
NOT_MODIFIED: dict[int | str, dict[str, Any]] = {304: {"description": "The ETag is the same"}}
Price = Annotated[int | None, Query(ge=0, le=1_000_000_000)]
IfNoneMatch = Annotated[str, Header()]
IfMatch = Annotated[str | None, Header()]


@router.get("/products", response_model=Page[Product], responses=NOT_MODIFIED)
async def list_products(
    request: Request,
    db: Db,
    q: Annotated[str, Query(max_length=100)] = "",
    category: Annotated[Text, Query(max_length=60)] = "",
    min: Price = None,
    max: Price = None,
    sort: Sort = Sort.TITLE,
    cursor: Cursor = None,
    limit: Limit = 20,
    if_none_match: IfNoneMatch = "",
) -> Response:
    wanted = Listing(q, category, min, max, sort, cursor, limit)
    cache: ListCache = request.app.state.lists
    rendered = await cache.get(wanted, lambda: _rendered(db, wanted))
    headers = {"ETag": rendered.etag, "Cache-Control": "no-cache"}
    if _matches(if_none_match, rendered.etag):
        return Response(status_code=304, headers=headers)
    return Response(rendered.body, headers=headers, media_type="application/json")


@router.get("/products/{sku}", response_model=Product, responses=NOT_MODIFIED)
async def one_product(sku: Sku, db: Db, if_none_match: IfNoneMatch = "") -> Response:
    async with db.read() as tx:
        row = await _row(tx, sku)
    if _matches(if_none_match, _etag(row)):
        return Response(status_code=304, headers=_headers(row))
    return _response(row)


@router.post("/products", status_code=201, response_model=Product)
async def add_product(body: NewProduct, _: Admin, db: Db) -> Response:
    """The stock starts empty; POST /stock/{sku}/adjust fills it."""
    async with db.transaction("add_product") as tx:
        new = body.model_dump(exclude={"price"}) | _price(body.price.model_dump())
        row = new | {"version": 1, "created_at": tx.clock.now()}
        if not await tx.insert_new(products, row):
            raise Problem(Slug.CONFLICT, f"There is a product {body.sku} already.")
        await tx.execute(sa.insert(stock).values(sku=body.sku, on_hand=0, held=0))
        made = await _row(tx, body.sku)
    return _response(made, status=201, headers={"Location": f"/api/v1/products/{body.sku}"})


@router.patch("/products/{sku}", response_model=Product)
async def change_product(
    sku: Sku, body: ProductChange, _: Admin, db: Db, if_match: IfMatch = None
) -> Response:
    """Nobody overwrites a change that they have not seen."""
    changes = body.model_dump(exclude_none=True)
    if "price" in changes:
        changes |= _price(changes.pop("price"))
    async with db.transaction("change_product") as tx:
        await _check(tx, sku, if_match)
        update = sa.update(products).where(products.c.sku == sku)
        await tx.execute(update.values(**changes, version=products.c.version + 1))
        row = await _row(tx, sku)
    return _response(row)


@router.post("/stock/{sku}/adjust", response_model=StockLevel)
async def adjust_stock(sku: Sku, body: Adjustment, caller: Admin, idem: Idempotent) -> Response:
    if not body.fits:
        raise Problem(Slug.VALIDATION, "`lost` needs a negative delta, the others a positive one.")

    async def work(tx: Tx) -> Answer:
        await _row(tx, sku)
        moved = Movement(sku, on_hand=body.delta, held=0)
        cause = tx.ids.uuid7()
        if not await movements.apply(tx, moved, cause_id=cause, reason=body.reason):
            raise Problem(Slug.CONFLICT, "Less would be left than orders hold.")
        return Answer(200, await _level(tx, sku))

    return await idem.run("adjust_stock", work, user=caller.id)


async def _rendered(db: Database, wanted: Listing) -> bytes:
    async with db.read() as tx:
        rows, next_cursor = await listing.page(tx, wanted)
    page = Page[Product](items=[Product.of(row) for row in rows], next_cursor=next_cursor)
    return page.model_dump_json().encode()


async def _row(tx: Tx, sku: str) -> sa.Row[Any]:
    row = await tx.one(listing.all_products().where(products.c.sku == sku))
    if row is None:
        raise Problem(Slug.NOT_FOUND, f"There is no product {sku}.")
    return row


async def _level(tx: Tx, sku: str) -> StockLevel:
    row = await tx.one(sa.select(stock).where(stock.c.sku == sku))
    if row is None:
        raise Problem(Slug.NOT_FOUND, f"There is no product {sku}.")
    available = row.on_hand - row.held
    return StockLevel(sku=sku, on_hand=row.on_hand, held=row.held, available=available)


async def _check(tx: Tx, sku: str, if_match: str | None) -> None:
    """Only the version counts: a sale in between does not spoil an edit of the text."""
    if if_match is None:
        detail = "Send the product's ETag in If-Match."
        raise Problem(Slug.PRECONDITION_FAILED, detail, status=428)
    locked = sa.select(products.c.version).where(products.c.sku == sku).with_for_update()
    version = await tx.scalar(locked)
    if version is None:
        raise Problem(Slug.NOT_FOUND, f"There is no product {sku}.")
    given = {tag.strip().strip('"').partition(".")[0] for tag in if_match.split(",")}
    if not given & {"*", str(version)}:
        raise Problem(Slug.PRECONDITION_FAILED, "Read it again, then repeat your change.")


def _price(money: dict[str, Any]) -> dict[str, Any]:
    return {"price": money["amount"], "currency": money["currency"]}


def _response(
    row: sa.Row[Any], *, status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    body = Product.of(row).model_dump_json()
    return Response(body, status, {**_headers(row), **(headers or {})}, "application/json")


def _headers(row: sa.Row[Any]) -> dict[str, str]:
    return {"ETag": _etag(row), "Cache-Control": "no-cache"}


def _etag(row: sa.Row[Any]) -> str:
    return f'"{row.version}.{row.available}"'


def _matches(if_none_match: str, etag: str) -> bool:
    given = {tag.strip().removeprefix("W/") for tag in if_none_match.split(",")}
    return bool(given & {"*", etag})
