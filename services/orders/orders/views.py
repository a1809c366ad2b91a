"""What orders says over HTTP, and what it accepts."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from orders.carts import MOST_OF_ONE, Cart
from shopkit.fields import WHOLE


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class CartLine(BaseModel):
    sku: str
    quantity: int


class CartView(BaseModel):
    lines: list[CartLine]

    @classmethod
    def of(cls, cart: Cart) -> "CartView":
        return cls(lines=[CartLine(sku=sku, quantity=number) for sku, number in cart.items()])


class Quantity(Strict):
    quantity: Annotated[int, Field(ge=1, le=MOST_OF_ONE, strict=True), WHOLE]


class NewOrder(Strict):
    """`quote` as POST /quotes gave it."""

    quote: Annotated[str, Field(min_length=1, max_length=32_000)]
    payment_method_id: UUID


class Money(BaseModel):
    """`amount` in minor units."""

    amount: int
    currency: str


class OrderLine(BaseModel):
    """`unit_price` in minor units of the total's currency."""

    sku: str
    title: str
    quantity: int
    unit_price: int


class Happened(BaseModel):
    at: datetime
    event: str
    detail: str


class Order(BaseModel):
    """`action_url` is where the customer answers the bank, while it waits for that."""

    id: str
    state: str
    total: Money
    lines: list[OrderLine]
    timeline: list[Happened]
    action_url: str | None
    cancel_reason: str | None
    created_at: datetime
