"""The auditor's eyes: the admin ports of the services, and nothing else."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from shop.audit.facts import Facts, Move, Order, Payment, Reservation
from shop.customer import ShopError
from shopkit.audit import Report

AUDITED = ("auth", "catalog", "orders", "payments")
M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True)
class Admin:
    """`urls`: service -> where its admin port is; `token` has the scope `ops`."""

    http: httpx.AsyncClient
    urls: Mapping[str, str]
    token: str

    async def get(self, service: str, path: str) -> Any:
        """Raises ShopError for anything but a success."""
        url = f"{self.urls[service].rstrip('/')}{path}"
        headers = {"Authorization": f"Bearer {self.token}"}
        try:
            answer = await self.http.get(url, headers=headers)
        except httpx.TransportError as error:
            raise ShopError(f"{service} does not answer at {url}: {error}") from error
        if not answer.is_success:
            raise ShopError(f"{service} answers {answer.status_code} at {url}: {answer.text[:200]}")
        return answer.json()

    async def reports(self) -> Sequence[Report]:
        names = [name for name in AUDITED if name in self.urls]
        return [_read(Report, await self.get(name, "/internal/audit")) for name in names]

    async def facts(self) -> Facts:
        return Facts(
            orders={o.order_id: o async for o in self._facts("orders", Order)},
            reservations={r.order_id: r async for r in self._facts("catalog", Reservation)},
            payments={p.order_id: p async for p in self._facts("payments", Payment)},
            bank=tuple([move async for move in self._bank()]),
        )

    async def _facts(self, service: str, model: type[M]) -> AsyncIterator[M]:
        after: str | None = ""
        while after is not None:
            page = await self.get(service, f"/internal/audit/facts?after={after}")
            for item in page["items"]:
                yield _read(model, item)
            after = page["next_after"]

    async def _bank(self) -> AsyncIterator[Move]:
        """Through payments, which alone may ask the bank."""
        after: int | None = 0
        while after is not None:
            page = await self.get("payments", f"/internal/ledger?after={after}")
            for item in page["items"]:
                yield _read(Move, item)
            after = page["next_after"]


def _read(model: type[M], answer: Any) -> M:
    try:
        return model.model_validate(answer)
    except ValidationError as error:
        raise ShopError(f"an answer that is no {model.__name__}: {error}") from error
