"""Who waits for news of an order in this process; replicas look into the database instead."""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from shopkit.clock import Clock
from shopkit.waker import Waker


class Watching:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._wakers: dict[str, set[Waker]] = defaultdict(set)

    @contextmanager
    def watch(self, order_id: str) -> Iterator[Waker]:
        """The waker is woken at each change that this process makes to the order."""
        waker = Waker(self._clock)
        self._wakers[order_id].add(waker)
        try:
            yield waker
        finally:
            self._wakers[order_id].discard(waker)
            if not self._wakers[order_id]:
                del self._wakers[order_id]

    def changed(self, order_id: str) -> None:
        for waker in self._wakers.get(order_id, ()):
            waker.wake()
