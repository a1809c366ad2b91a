"""A service's state at a glance, for people who watch: cheap enough to ask every second."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import sqlalchemy as sa
from fastapi import APIRouter
from pydantic import BaseModel

from shopkit import gauges
from shopkit.auth import Ops
from shopkit.schema import dead_letters

if TYPE_CHECKING:
    from shopkit.app import Service


class SagasIn(BaseModel):
    state: str
    count: int
    oldest_seconds: float


class State(BaseModel):
    """`invariants`: violations by the service's own last checks; one not checked yet is absent."""

    service: str
    version: str
    consumers: bool
    faults: bool
    sagas: list[SagasIn]
    outbox: int
    outbox_oldest_seconds: float
    dead_letters: int
    invariants: dict[str, int]


def routes(service: "Service", invariants: Mapping[str, int]) -> APIRouter:
    router = APIRouter(prefix="/internal/state")

    @router.get("")
    async def state(_: Ops) -> State:
        async with service.db.read() as tx:
            sagas = await gauges.unfinished(tx)
            pending, age = await gauges.waiting(tx)
            letters = await tx.scalar(sa.select(sa.func.count()).select_from(dead_letters))
        return State(
            service=service.name,
            version=service.version,
            consumers=service.settings.consumers,
            faults=service.settings.shop_faults,
            sagas=[SagasIn(state=s, count=n, oldest_seconds=a) for s, (n, a) in sagas.items()],
            outbox=pending,
            outbox_oldest_seconds=age,
            dead_letters=letters,
            invariants=dict(invariants),
        )

    return router
