"""A wait that ends early when there is something to do."""

import asyncio

from shopkit.clock import Clock


class Waker:
    """An in-process hint; the poll interval is the net below it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._event = asyncio.Event()

    def wake(self) -> None:
        self._event.set()

    async def wait(self, seconds: float) -> None:
        """Until woken or `seconds` have passed on the injected clock."""
        if not self._event.is_set():
            await first_of(self._event.wait(), self._clock.sleep(seconds))
        self._event.clear()


async def first_of(*waits: object) -> None:
    """Returns when the first ends; the others are cancelled."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]  # type: ignore[call-overload]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
