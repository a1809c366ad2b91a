"""Background tasks that survive their own errors."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from shopkit.errors import Unavailable
from shopkit.waker import first_of

Run = Callable[[asyncio.Event], Awaitable[None]]

_AGAIN_AFTER = 1.0


class Tasks:
    """Started and stopped together."""

    def __init__(self, service: str) -> None:
        self.stop = asyncio.Event()
        self._log = structlog.get_logger().bind(service=service)
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, name: str, run: Run) -> None:
        task = asyncio.create_task(self._supervise(name, run), name=name)
        self._tasks.add(task)

    async def _supervise(self, name: str, run: Run) -> None:
        """Until it returns: an Exception starts it again, only a crash ends it."""
        while not self.stop.is_set():
            try:
                return await run(self.stop)
            except Unavailable as error:
                self._log.warning("waiting", worker=name, error=str(error))
            except Exception as error:
                self._log.error("worker_failed", worker=name, exc_info=error)
            await first_of(asyncio.sleep(_AGAIN_AFTER), self.stop.wait())

    async def finish(self, seconds: float) -> None:
        """Asks all to end, waits, then cancels the rest."""
        self.stop.set()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds)
        await self.cancel()

    async def cancel(self) -> None:
        for task in self._tasks:
            task.cancel()
        # A crashed task ends with a BaseException, which gather would raise here.
        if self._tasks:
            await asyncio.wait(self._tasks)
        for task in self._tasks:
            if not task.cancelled():
                task.exception()
        self._tasks.clear()
