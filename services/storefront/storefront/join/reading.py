"""All facts, page by page, from the admin ports of the services."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar

from pydantic import BaseModel

from storefront.join.facts import Facts, Move, Order, Payment, Reservation

# service, path -> the JSON of its answer
Get = Callable[[str, str], Awaitable[Any]]
M = TypeVar("M", bound=BaseModel)


async def facts(get: Get) -> Facts:
    """Raises ValidationError for an answer that is none of these."""
    return Facts(
        orders={o.order_id: o async for o in _facts(get, "orders", Order)},
        reservations={r.order_id: r async for r in _facts(get, "catalog", Reservation)},
        payments={p.order_id: p async for p in _facts(get, "payments", Payment)},
        bank=tuple([move async for move in _bank(get)]),
    )


async def _facts(get: Get, service: str, model: type[M]) -> AsyncIterator[M]:
    after: str | None = ""
    while after is not None:
        page = await get(service, f"/internal/audit/facts?after={after}")
        for item in page["items"]:
            yield model.model_validate(item)
        after = page["next_after"]


async def _bank(get: Get) -> AsyncIterator[Move]:
    """Through payments, which alone may ask the bank."""
    after: int | None = 0
    while after is not None:
        page = await get("payments", f"/internal/ledger?after={after}")
        for item in page["items"]:
            yield Move.model_validate(item)
        after = page["next_after"]
