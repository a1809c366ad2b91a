"""What catalog says over HTTP, and what it accepts."""

from datetime import datetime
from typing import Annotated, Any, Literal

import sqlalchemy as sa
from pydantic import BaseModel, ConfigDict, Field

from catalog.domain import MOST_OF_AN_ORDER
from shopkit.fields import WHOLE, Text

Sku = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]
Title = Annotated[Text, Field(min_length=1, max_length=120)]
Description = Annotated[Text, Field(max_length=4000)]
Category = Annotated[Text, Field(min_length=1, max_length=60)]
Image = Annotated[Text, Field(max_length=400)]
Minor = Annotated[int, Field(gt=0, le=100_000_000, strict=True), WHOLE]
Currency = Annotated[str, Field(pattern="^[A-Z]{3}$")]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Money(Strict):
    """`amount` in minor units."""

    amount: Minor
    currency: Currency


class Total(Money):
    """Of all lines."""

    amount: Annotated[int, Field(gt=0, le=MOST_OF_AN_ORDER, strict=True), WHOLE]


class Product(BaseModel):
    sku: str
    title: str
    description: str
    category: str
    price: Money
    available: int
    image: str

    @classmethod
    def of(cls, row: sa.Row[Any]) -> "Product":
        return cls(
            sku=row.sku,
            title=row.title,
            description=row.description,
            category=row.category,
            price=Money(amount=row.price, currency=row.currency),
            available=row.available,
            image=row.image,
        )


class NewProduct(Strict):
    sku: Sku
    title: Title
    description: Description = ""
    category: Category
    price: Money
    image: Image = ""


class ProductChange(Strict):
    """Only what is given is changed."""

    title: Title | None = None
    description: Description | None = None
    category: Category | None = None
    price: Money | None = None
    image: Image | None = None


class Adjustment(Strict):
    """`lost` takes away, the other reasons add."""

    delta: Annotated[int, Field(ge=-1_000_000, le=1_000_000, strict=True), WHOLE]
    reason: Literal["received", "returned", "lost"]

    @property
    def fits(self) -> bool:
        return self.delta < 0 if self.reason == "lost" else self.delta > 0


class StockLevel(BaseModel):
    sku: str
    on_hand: int
    held: int
    available: int


class WantedLine(Strict):
    sku: Sku
    quantity: Annotated[int, Field(ge=1, le=99, strict=True), WHOLE]


class WantedQuote(Strict):
    lines: Annotated[list[WantedLine], Field(min_length=1, max_length=50)]


class QuotedLine(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    sku: str
    title: str
    quantity: int
    unit_price: int


class Quote(BaseModel):
    """`quote` is the signed text that POST /orders takes."""

    quote: str
    quote_id: str
    lines: list[QuotedLine]
    total: Total
    expires_at: datetime
