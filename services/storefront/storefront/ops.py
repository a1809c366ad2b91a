"""What the page /ops asks: the admin ports of all services, with the caller's own token."""

import asyncio
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import httpx
from fastapi import APIRouter, Depends, HTTPException, Request, Response
from pydantic import BaseModel

from shopkit.audit import Report
from shopkit.auth import Ops
from shopkit.errors import MEDIA_TYPE, Problem, methods
from shopkit.http import Kit
from shopkit.letters import Letter
from shopkit.state import State
from shopkit.switches import Death, Faults
from storefront import lights
from storefront.join import reading
from storefront.lights import Light
from storefront.ports import SERVICES, Ports

router = APIRouter(prefix="/ops/api")
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
Name = Literal["auth", "catalog", "orders", "payments"]


class Seen(BaseModel):
    """`trouble` instead of a state when the service does not answer."""

    service: str
    state: State | None = None
    trouble: str = ""


class Kept(Letter):
    service: str


class Verdict(BaseModel):
    """`under_way` is what keeps the shop from rest; then some lights stay grey."""

    at: datetime
    under_way: list[str]
    lights: list[Light]


async def _ports(request: Request, _: Ops) -> Ports:
    return Ports(request.app.state.clients, request.headers["Authorization"])


UsesPorts = Annotated[Ports, Depends(_ports)]


@router.get("/state")
async def state(ports: UsesPorts) -> list[Seen]:
    return list(await asyncio.gather(*(_seen(ports, name) for name in SERVICES)))


async def _seen(ports: Ports, name: str) -> Seen:
    try:
        found = State.model_validate(await ports.get(name, "/internal/state"))
    except Problem as problem:
        return Seen(service=name, trouble=problem.detail)
    return Seen(service=name, state=found)


@router.get("/lights")
async def unchecked(_: Ops) -> list[Light]:
    """Before the first look: all grey."""
    return lights.unchecked()


@router.post("/audit")
async def audit(ports: UsesPorts, kit: Kit) -> Verdict:
    """Joins all services and the bank; 503 when one does not answer: then nothing is known."""
    reports = [Report.model_validate(await ports.get(n, "/internal/audit")) for n in SERVICES]
    work = [f"{r.service}: {open.count} {open.what}" for r in reports for open in r.open]
    facts = await reading.facts(ports.get)
    shown = lights.of_audit(reports, facts, at_rest=not work)
    return Verdict(at=kit.clock.now(), under_way=work, lights=shown)


@router.get("/dead-letters")
async def letters(ports: UsesPorts) -> list[Kept]:
    """The first hundred of each service that answers."""
    pages = await asyncio.gather(*(_letters(ports, name) for name in SERVICES))
    return sorted((one for page in pages for one in page), key=lambda one: -one.count)


async def _letters(ports: Ports, name: str) -> list[Kept]:
    try:
        page = await ports.get(name, "/internal/dead-letters")
    except Problem:
        return []
    return [Kept(service=name, **item) for item in page["items"]]


@router.post("/dead-letters/{service}/{consumer}/{message_id}/replay")
async def replay(
    service: Name, consumer: Literal["cmd", "reply"], message_id: UUID, ports: UsesPorts
) -> Response:
    path = f"/internal/dead-letters/{consumer}/{message_id}/replay"
    return _passed_on(await ports.send("POST", service, path))


@router.get("/faults/{service}")
async def faults(service: Name, ports: UsesPorts) -> Response:
    """404 where the switches are not allowed (SHOP_FAULTS)."""
    return _passed_on(await ports.send("GET", service, "/internal/faults"))


@router.put("/faults/{service}")
async def switch(service: Name, wanted: Faults, ports: UsesPorts) -> Response:
    return _passed_on(await ports.send("PUT", service, "/internal/faults", wanted.model_dump()))


@router.post("/faults/{service}/death", status_code=202)
async def death(service: Name, wish: Death, ports: UsesPorts) -> Response:
    answer = await ports.send("POST", service, "/internal/faults/death", wish.model_dump())
    return _passed_on(answer)


@router.api_route("/{path:path}", methods=METHODS, include_in_schema=False)
async def nothing(request: Request) -> Response:
    """Not the page that the shop shows for every other address."""
    raise HTTPException(405 if methods(request) else 404)


def _passed_on(answer: httpx.Response) -> Response:
    kind: Any = answer.headers.get("content-type", MEDIA_TYPE)
    return Response(answer.content, answer.status_code, media_type=kind)
