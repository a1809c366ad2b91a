"""A clock that stands still until a test moves it."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from microservice_operator.clock import Clock

START = datetime(2026, 1, 1, tzinfo=UTC)


class FakeClock(Clock):
    def __init__(self) -> None:
        super().__init__()
        self.seconds = 0.0
        self._timers: list[tuple[float, asyncio.TimerHandle, Callable[[], None]]] = []

    def monotonic(self) -> float:
        return self.seconds

    def jitter(self, seconds: float, share: float = 0.2) -> float:
        return seconds

    async def sleep(self, seconds: float) -> None:
        woken = asyncio.Event()
        self.later(seconds, woken.set)
        await woken.wait()

    def timeout(self, seconds: float) -> asyncio.Timeout:
        timeout = asyncio.timeout(None)
        self.later(seconds, lambda: timeout.reschedule(asyncio.get_running_loop().time()))
        return timeout

    def later(self, seconds: float, call: Callable[[], None]) -> asyncio.TimerHandle:
        """The handle only says whether it was cancelled; `advance` makes the call."""
        handle = asyncio.get_running_loop().call_later(3600, call)
        self._timers.append((self.seconds + seconds, handle, call))
        return handle

    async def advance(self, seconds: float) -> None:
        """Let everything happen that is due until then, in order."""
        until = self.seconds + seconds
        await settle()
        while due := [timer for timer in self._timers if timer[0] <= until]:
            timer = min(due, key=lambda timer: timer[0])
            self._timers.remove(timer)
            self.seconds = max(self.seconds, timer[0])
            if not timer[1].cancelled():
                timer[1].cancel()
                timer[2]()
            await settle()
        self.seconds = until
        await settle()

    def _utc(self) -> datetime:
        return START + timedelta(seconds=self.seconds)


async def settle() -> None:
    """Until every task that can run has run; none here waits for a network."""
    for _ in range(20):
        await asyncio.sleep(0)
