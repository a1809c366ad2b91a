"""Quotes: what catalog promised, read from a signed token. The client never sends a price."""

from typing import Annotated, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from orders.messages import Line
from shopkit.auth import ExpiredToken, InvalidToken, Verifier
from shopkit.clock import Clock
from shopkit.errors import Problem, Slug

ISSUER, AUDIENCE = "catalog", "orders"


class _Claims(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)


class QuotedLine(_Claims):
    """`unit_price` in minor units of the quote's currency."""

    sku: Annotated[str, Field(min_length=1)]
    title: str
    quantity: Annotated[int, Field(gt=0)]
    unit_price: Annotated[int, Field(ge=0)]


class Quote(_Claims):
    """`total` in minor units."""

    id: Annotated[UUID, Field(alias="jti", strict=False)]
    lines: Annotated[tuple[QuotedLine, ...], Field(min_length=1, strict=False)]
    total: Annotated[int, Field(gt=0)]
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")]

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        if sum(line.quantity * line.unit_price for line in self.lines) != self.total:
            raise ValueError("the total is not the sum of the lines")
        if len({line.sku for line in self.lines}) != len(self.lines):
            raise ValueError("a product has two lines")
        return self

    def wanted(self) -> tuple[Line, ...]:
        return tuple(Line(sku=line.sku, quantity=line.quantity) for line in self.lines)


class Quotes:
    """Checks quotes with catalog's public keys."""

    def __init__(self, jwks: str | None, clock: Clock) -> None:
        self._verifier = jwks and Verifier.from_json(
            jwks, issuer=ISSUER, audience=AUDIENCE, clock=clock
        )

    def read(self, token: str) -> Quote:
        """Raises the Problem that tells the customer what to do."""
        if not self._verifier:
            raise Problem(Slug.UNAVAILABLE, "QUOTE_JWKS_FILE is not set for this service.")
        try:
            return Quote.model_validate(self._verifier.verify(token))
        except ExpiredToken as error:
            raise Problem(Slug.QUOTE_EXPIRED, "Ask for a new quote and confirm it.") from error
        except (InvalidToken, ValidationError) as error:
            raise Problem(Slug.QUOTE_INVALID, "Send a quote as catalog gave it.") from error
