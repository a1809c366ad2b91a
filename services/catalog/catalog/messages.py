"""The messages that catalog receives and answers."""

from pydantic import BaseModel, ConfigDict, Field

from shopkit.messages import Body


class Line(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")
    sku: str
    quantity: int = Field(gt=0)


class ReserveStock(Body):
    order_id: str
    lines: tuple[Line, ...] = Field(min_length=1)


class ReleaseStock(Body):
    order_id: str


class CommitStock(Body):
    order_id: str


class StockReserved(Body):
    order_id: str


class StockRejected(Body):
    order_id: str
    sku: str
    reason: str


class StockReleased(Body):
    order_id: str


class StockCommitted(Body):
    order_id: str
