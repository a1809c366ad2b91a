"""Fault switches for people who want to see the shop survive; only with SHOP_FAULTS=1."""

import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.types import ASGIApp, Receive, Scope, Send

from shopkit.auth import Ops
from shopkit.clock import Clock
from shopkit.errors import Problem, Slug
from shopkit.ids import Ids
from shopkit.messages import Message

if TYPE_CHECKING:
    from shopkit.app import Service

Share = Annotated[float, Field(ge=0, le=1)]
_PROBES = ("/livez", "/startupz", "/readyz")
# Far from real attempts, so that the broker does not take the copy for the message.
_COPY = 1_000_000


class Faults(BaseModel):
    """`latency` in seconds, the others as shares of all requests and all messages sent."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    latency: Annotated[float, Field(ge=0, le=30)] = 0
    errors: Share = 0
    drop: Share = 0
    duplicate: Share = 0


class Death(BaseModel):
    """`point`: where the process kills itself; null = at once."""

    model_config = ConfigDict(extra="forbid")
    point: Annotated[str, Field(pattern=r"^[a-z_]+\.[a-z_]+\.(before|after)_[a-z]+$")] | None = None


class Switches:
    """What is switched on in this process."""

    def __init__(self, clock: Clock, ids: Ids) -> None:
        self._clock, self._ids = clock, ids
        self.now = Faults()

    def copies(self, message: Message) -> Iterator[Message]:
        """What goes to the broker in place of the message."""
        if not self._happens(self.now.drop):
            yield message
        if self._happens(self.now.duplicate):
            yield replace(message, attempt=message.attempt + _COPY)

    async def disturb(self) -> Problem | None:
        """Of one request."""
        await self._clock.sleep(self.now.latency)
        if self._happens(self.now.errors):
            return Problem(Slug.UNAVAILABLE, "A fault was switched on.")
        return None

    def _happens(self, share: float) -> bool:
        """Draws no chance for what is off, so that seeded tests see none of this."""
        return share > 0 and self._ids.random() < share


class Disturbed:
    """Around the public app."""

    def __init__(self, app: ASGIApp, switches: Switches) -> None:
        self._app, self._switches = app, switches

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        spared = scope["type"] != "http" or scope["path"] in _PROBES
        if not spared and (problem := await self._switches.disturb()):
            return await problem.response()(scope, receive, send)
        await self._app(scope, receive, send)


def routes(service: "Service", switches: Switches) -> APIRouter:
    router = APIRouter(prefix="/internal/faults")

    @router.get("")
    async def shown(_: Ops) -> Faults:
        return switches.now

    @router.put("")
    async def switched(faults: Faults, _: Ops) -> Faults:
        service.log.warning("faults_switched")
        switches.now = faults
        return faults

    @router.post("/death", status_code=202)
    async def death(wish: Death, _: Ops) -> Death:
        """The process ends as by kill -9; whatever started it starts it again."""
        points = service.world.points
        points.on_crash = lambda _: _die()
        service.log.warning("death_wished", step=wish.point or "at once")
        if wish.point is None:
            _die()
        else:
            points.arm(wish.point)
        return wish

    return router


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
