"""Time, injectable: nothing else in the shop reads the clock."""

import asyncio
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """The only source of time."""

    def now(self) -> datetime:
        """Aware, UTC."""

    def monotonic(self) -> float:
        """Seconds from any origin."""

    async def sleep(self, seconds: float) -> None: ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


@dataclass(slots=True)
class ManualClock:
    """Moves only when told to; sleepers wake when their time has come."""

    start: datetime
    _passed: float = 0.0
    _sleepers: list[tuple[float, asyncio.Event]] = field(default_factory=list)

    def now(self) -> datetime:
        return self.start + timedelta(seconds=self._passed)

    def monotonic(self) -> float:
        return self._passed

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        due, event = self._passed + seconds, asyncio.Event()
        self._sleepers.append((due, event))
        await event.wait()

    def advance(self, seconds: float) -> None:
        self._passed += seconds
        due = [event for at, event in self._sleepers if at <= self._passed]
        self._sleepers = [entry for entry in self._sleepers if entry[0] > self._passed]
        for event in due:
            event.set()
