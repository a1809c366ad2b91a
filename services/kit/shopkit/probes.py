"""Probes: alive, started, ready. None of them looks at the broker or at another service."""

import asyncio

from shopkit.db import Database
from shopkit.drain import Drain
from shopkit.errors import Unavailable

STALE_AFTER = 5.0
CACHED = 1.0
PATIENCE = 0.8  # below the kubelet's default time-out of one second


class Probes:
    """Each question returns "" for yes, else why not."""

    def __init__(self, database: Database, schema: int, drain: Drain) -> None:
        self._database, self._schema, self._drain = database, schema, drain
        self._beat: float | None = None
        self._started = False
        self._checked_at: float | None = None
        self._trouble = ""
        self._asking = asyncio.Lock()

    async def heart(self, stop: asyncio.Event) -> None:
        """Beats as long as the event loop turns."""
        while not stop.is_set():
            self._beat = _now()
            await asyncio.sleep(1)

    async def alive(self) -> str:
        age = _now() - self._beat if self._beat is not None else 0.0
        return "" if age < STALE_AFTER else f"the event loop stood still for {age:.0f} s"

    async def started(self) -> str:
        if not self._started:
            trouble = await self.database_trouble()
            self._started = not trouble
            return trouble
        return ""

    async def ready(self) -> str:
        return "draining" if self._drain.draining else await self.database_trouble()

    async def database_trouble(self) -> str:
        """Cached for a second: probes must not load a database that is in trouble."""
        if not self._schema:
            return ""
        async with self._asking:
            if self._checked_at is None or _now() - self._checked_at >= CACHED:
                self._trouble = await self._ask()
                self._checked_at = _now()
            return self._trouble

    async def _ask(self) -> str:
        try:
            async with asyncio.timeout(PATIENCE):
                found = await self._database.revision()
        except (Unavailable, TimeoutError):
            return "the database does not answer"
        if found < self._schema:
            return f"the schema has revision {found}, this version needs {self._schema}: migrate"
        return ""


def _now() -> float:
    return asyncio.get_running_loop().time()
