"""The product list as a query: search, filters, sort and keyset cursor."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from catalog.tables import products, stock
from shopkit.db import Tx
from shopkit.errors import Problem, Slug
from shopkit.pages import decode_cursor, encode_cursor

_WORD = re.compile(r"\w+")
_MOST_WORDS = 8


class Sort(StrEnum):
    TITLE = "title"
    CHEAPEST = "price"
    DEAREST = "-price"


@dataclass(frozen=True)
class Listing:
    """What a customer asks for; prices in minor units, both ends included."""

    q: str = ""
    category: str = ""
    min: int | None = None
    max: int | None = None
    sort: Sort = Sort.TITLE
    cursor: str | None = None
    limit: int = 20


def query(listing: Listing, dialect: str) -> sa.Select[Any]:
    """One row more than asked for, which tells whether there is a next page."""
    conditions = [*_filters(listing), *_search(listing.q, dialect), *_after(listing)]
    return all_products().where(*conditions).order_by(*_order(listing)).limit(listing.limit + 1)


def all_products() -> sa.Select[Any]:
    available = (stock.c.on_hand - stock.c.held).label("available")
    return sa.select(products, available).join(stock, stock.c.sku == products.c.sku)


async def page(tx: Tx, listing: Listing) -> tuple[Sequence[sa.Row[Any]], str | None]:
    rows = await tx.all(query(listing, tx.dialect))
    shown = rows[: listing.limit]
    return shown, _cursor(listing, shown[-1]) if len(rows) > listing.limit else None


def _filters(listing: Listing) -> list[sa.ColumnElement[bool]]:
    wanted: list[sa.ColumnElement[bool]] = []
    if listing.category:
        wanted.append(products.c.category == listing.category)
    if listing.min is not None:
        wanted.append(products.c.price >= listing.min)
    if listing.max is not None:
        wanted.append(products.c.price <= listing.max)
    return wanted


def _search(q: str, dialect: str) -> list[sa.ColumnElement[bool]]:
    """Every word must occur, the start of a word is enough; the same on both databases."""
    words = _WORD.findall(q.lower())[:_MOST_WORDS]
    if not words:
        return []
    if dialect == "postgresql":
        wanted = sa.func.to_tsquery("simple", " & ".join(f"{word}:*" for word in words))
        return [sa.literal_column("products.search").bool_op("@@")(wanted)]
    found = sa.text("SELECT sku FROM products_fts WHERE products_fts MATCH :fts_words")
    bound = found.bindparams(fts_words=" ".join(f'"{word}"*' for word in words))
    return [products.c.sku.in_(bound.columns(products.c.sku).scalar_subquery())]


def _column(sort: Sort) -> sa.ColumnElement[Any]:
    return products.c.title if sort is Sort.TITLE else products.c.price


def _order(listing: Listing) -> tuple[sa.ColumnElement[Any], sa.ColumnElement[Any]]:
    column = _column(listing.sort)
    if listing.sort is Sort.DEAREST:
        return column.desc(), products.c.sku.desc()
    return column.asc(), products.c.sku.asc()


def _after(listing: Listing) -> list[sa.ColumnElement[bool]]:
    if listing.cursor is None:
        return []
    value, sku = _place(listing)
    last = sa.tuple_(sa.literal(value), sa.literal(sku))
    here = sa.tuple_(_column(listing.sort), products.c.sku)
    return [here < last if listing.sort is Sort.DEAREST else here > last]


def _cursor(listing: Listing, last: sa.Row[Any]) -> str:
    value = last.title if listing.sort is Sort.TITLE else last.price
    return encode_cursor(listing.sort.value, value, last.sku)


def _place(listing: Listing) -> tuple[str | int, str]:
    """Raises a 422 for a cursor of another sort order."""
    kind = str if listing.sort is Sort.TITLE else int
    match decode_cursor(listing.cursor or ""):
        case [sort, value, str(sku)] if sort == listing.sort and isinstance(value, kind):
            return value, sku
        case _:
            detail = "`cursor` belongs to a list with another `sort`."
            raise Problem(Slug.VALIDATION, detail)
