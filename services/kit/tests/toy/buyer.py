"""The saga's owner: WAITING -> PAYING -> DONE, or REFUSED, or RELEASING -> CANCELLED."""

from typing import Any

import sqlalchemy as sa
from fastapi import APIRouter, Response
from pydantic import BaseModel
from services.kit.tests.toy.messages import Held, Hold, Paid, Pay, Refused, Release, Released
from services.kit.tests.toy.tables import timeline

from shopkit.app import Service, World
from shopkit.auth import Customer
from shopkit.db import Tx
from shopkit.engine import SagaEngine
from shopkit.errors import Problem, Slug
from shopkit.http import Db, Kit
from shopkit.idempotency import Answer, Idempotent
from shopkit.ids import uuid5
from shopkit.saga import Deadline, SagaState, Send, Transition
from shopkit.schema import sagas
from shopkit.settings import Settings

SELLER = "seller"


class Cancel:
    """The customer changed their mind."""


class Purchase:
    """The definition that the engine runs."""

    name = "purchase"
    replies = (Held, Refused, Paid, Released)
    final = frozenset({"DONE", "REFUSED", "CANCELLED"})

    def decide(self, saga: SagaState, message: object) -> Transition | None:
        match saga.state, message:
            case "WAITING", Held():
                return Transition("PAYING", Send(SELLER, Pay(order_id=saga.id)))
            case "WAITING", Refused():
                return Transition("REFUSED")
            case "WAITING", Cancel() | Deadline():
                return Transition("RELEASING", Send(SELLER, Release(order_id=saga.id)))
            case "PAYING", Paid():
                return Transition("DONE", data={"paid": True})
            case "RELEASING", Released():
                return Transition("CANCELLED")
        return None

    def id_of(self, reply: Any) -> str:
        return str(reply.order_id)

    async def record(
        self, tx: Tx, saga: SagaState, message: object, transition: Transition | None
    ) -> None:
        state = transition.state if transition else None
        event = {"order_id": saga.id, "event": type(message).__name__, "state": state}
        await tx.execute(sa.insert(timeline).values(event))


class NewPurchase(BaseModel):
    note: str


router = APIRouter(prefix="/api/v1")


@router.post("/purchases")
async def purchase(body: NewPurchase, caller: Customer, idem: Idempotent, kit: Kit) -> Response:
    async def work(tx: Tx) -> Answer:
        if body.note == "reject":
            raise Problem(Slug.CONFLICT, "You asked for it.")
        id = uuid5(caller.id, body.note)
        await begin(tx, kit.app.state.engine, id)
        return Answer(202, {"id": id}, {"Location": f"/api/v1/purchases/{id}"})

    return await idem.run("purchase", work, user=caller.id)


@router.get("/purchases/{id}")
async def show(id: str, caller: Customer, db: Db, kit: Kit) -> dict[str, str]:
    async with db.read() as tx:
        saga = await kit.app.state.engine.get(tx, id)
    if saga is None:
        raise Problem(Slug.NOT_FOUND, "No such purchase.")
    return {"id": id, "state": saga.state}


async def begin(tx: Tx, engine: SagaEngine, id: str) -> None:
    await engine.start(tx, id, Transition("WAITING", Send(SELLER, Hold(order_id=id))))


def create_app(settings: Settings, world: World | None = None) -> Service:
    service = Service(
        "buyer", settings, world, package="services.kit.tests.toy", schema=1, version="1"
    )
    service.app.state.engine = service.saga(Purchase())
    service.routes(router)
    return service


async def buy(service: Service, id: str) -> None:
    async with service.db.transaction("buy") as tx:
        await begin(tx, service.app.state.engine, id)


async def tell(service: Service, id: str, message: object) -> Transition | None:
    async with service.db.transaction("tell") as tx:
        engine: SagaEngine = service.app.state.engine
        return await engine.tell(tx, id, message)


async def state(service: Service, id: str) -> str | None:
    async with service.db.read() as tx:
        found = await tx.scalar(sa.select(sagas.c.state).where(sagas.c.id == id))
    return None if found is None else str(found)


async def events(service: Service, id: str) -> list[tuple[str, str | None]]:
    async with service.db.read() as tx:
        mine = sa.select(timeline).where(timeline.c.order_id == id).order_by(timeline.c.position)
        return [(row.event, row.state) for row in await tx.all(mine)]
