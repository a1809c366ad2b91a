"""Time and chance: their one home, so that a test can run the same code faster or stand still."""

import asyncio
import random
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta


class Clock:
    """The time of this process; `speed` 20 makes a lease of 15 s last 0.75 s."""

    def __init__(self, speed: float = 1.0) -> None:
        self.speed = speed
        self._start = time.monotonic()
        self._wall = datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds that only grow; the base of every deadline, because the wall clock may jump."""
        return (time.monotonic() - self._start) * self.speed

    def now(self) -> str:
        """RFC 3339 in UTC, whole seconds."""
        return f"{self._utc():%Y-%m-%dT%H:%M:%SZ}"

    def precise(self) -> str:
        """metav1.MicroTime, as Leases and Events want it."""
        return f"{self._utc():%Y-%m-%dT%H:%M:%S.%fZ}"

    def jitter(self, seconds: float, share: float = 0.2) -> float:
        """`seconds` shortened or stretched by up to `share`: replicas must not march in step."""
        return seconds * random.uniform(1 - share, 1 + share)

    def real(self, seconds: float) -> float:
        """What a timeout of `seconds` lasts on the wall."""
        return seconds / self.speed

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, self.real(seconds)))

    def timeout(self, seconds: float) -> asyncio.Timeout:
        return asyncio.timeout(self.real(seconds))

    def later(self, seconds: float, call: Callable[[], None]) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(self.real(seconds), call)

    def _utc(self) -> datetime:
        if self.speed == 1.0:
            return datetime.now(UTC)
        return self._wall + timedelta(seconds=self.monotonic())
