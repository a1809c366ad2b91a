"""Quotes: prices promised for ten minutes, signed so that orders need not ask."""

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from fastapi import APIRouter, Request

from catalog import domain, views
from catalog.domain import CannotQuote, Line, Price
from catalog.tables import products
from shopkit.auth import Signer
from shopkit.clock import Clock
from shopkit.db import Database
from shopkit.errors import Problem, Slug
from shopkit.http import Db
from shopkit.ids import Ids

router = APIRouter()
ISSUER, AUDIENCE = "catalog", "orders"


class Quotes:
    """Makes quotes that live `seconds`."""

    def __init__(self, signer: Signer | None, clock: Clock, ids: Ids, seconds: int) -> None:
        self._signer, self._clock, self._ids, self._seconds = signer, clock, ids, seconds

    @property
    def signer(self) -> Signer:
        if self._signer is None:
            raise Problem(Slug.UNAVAILABLE, "QUOTE_KEYS_FILE is not set for this service.")
        return self._signer

    def signed(self, quote: domain.Quote) -> views.Quote:
        now = int(self._clock.now().timestamp())
        quote_id, expires = self._ids.uuid7(), now + self._seconds
        lines = [views.QuotedLine.model_validate(line) for line in quote.lines]
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "jti": quote_id,
            "iat": now,
            "exp": expires,
            "lines": [line.model_dump() for line in lines],
            "total": quote.total,
            "currency": quote.currency,
        }
        return views.Quote(
            quote=self.signer.sign(claims),
            quote_id=quote_id,
            lines=lines,
            total=views.Total(amount=quote.total, currency=quote.currency),
            expires_at=datetime.fromtimestamp(expires, UTC),
        )


@router.post("/api/v1/quotes")
async def make_quote(body: views.WantedQuote, db: Db, request: Request) -> views.Quote:
    quotes: Quotes = request.app.state.quotes
    lines = [Line(line.sku, line.quantity) for line in body.lines]
    try:
        quote = domain.quote(lines, await _prices(db, lines))
    except CannotQuote as error:
        errors = [{"field": "lines", "message": f"{sku} cannot be quoted"} for sku in error.skus]
        raise Problem(Slug.VALIDATION, str(error), errors=errors) from error
    return quotes.signed(quote)


@router.get("/.well-known/quote-keys.json")
async def quote_keys(request: Request) -> dict[str, Any]:
    """The public keys, for outsiders: our own services mount them."""
    quotes: Quotes = request.app.state.quotes
    return quotes.signer.public()


async def _prices(db: Database, lines: list[Line]) -> dict[str, Price]:
    wanted = sa.select(products).where(products.c.sku.in_([line.sku for line in lines]))
    async with db.read() as tx:
        rows = await tx.all(wanted)
    return {row.sku: Price(row.title, row.price, row.currency) for row in rows}
