"""Crash points: the one seam through which every commit, publish, ack and outside call runs."""

from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Literal

Effect = Literal["commit", "publish", "ack", "call"]
Moment = Literal["before", "after"]


class Crash(BaseException):
    """The process dies here. Not an Exception, so that no handler of the shop can survive it."""


@dataclass(slots=True)
class CrashPoints:
    """Knows every point that was passed; one may be armed. `on_crash` hears which service died."""

    seen: Counter[str] = field(default_factory=Counter)
    fired: list[str] = field(default_factory=list)
    on_crash: Callable[[str], None] | None = None
    _armed: dict[str, int] = field(default_factory=dict)
    _dead: set[str] = field(default_factory=set)

    def arm(self, name: str, hit: int = 1) -> None:
        """Die when `name` is passed for the `hit`th time from now."""
        self._armed[name] = hit

    def disarm(self) -> None:
        self._armed.clear()

    def point(self, service: str, step: str, moment: Moment, effect: Effect) -> None:
        """A dead process has no effects: whatever it still runs dies at its next point."""
        if service in self._dead:
            raise Crash(service)
        name = f"{service}.{step}.{moment}_{effect}"
        self.seen[name] += 1
        if name in self._armed:
            self._count_down(service, name)

    def _count_down(self, service: str, name: str) -> None:
        self._armed[name] -= 1
        if self._armed[name] > 0:
            return
        del self._armed[name]
        self.fired.append(name)
        self.bury(service)
        raise Crash(name)

    def bury(self, service: str) -> None:
        """From here on the service has no effects, until `revive`."""
        self._dead.add(service)
        if self.on_crash is not None:
            self.on_crash(service)

    def revive(self, service: str) -> None:
        self._dead.discard(service)

    @asynccontextmanager
    async def around(self, service: str, step: str, effect: Effect) -> AsyncIterator[None]:
        self.point(service, step, "before", effect)
        yield
        self.point(service, step, "after", effect)
