"""Keys to reconcile: deduplicated, one pass at a time each, urgent first, namespaces in turn."""

import asyncio
from collections.abc import Callable
from enum import IntEnum
from typing import NamedTuple

from microservice_operator.clock import Clock

FIRST_RETRY = 0.5  # seconds, doubled by every failure in a row
LONGEST_RETRY = 300.0
EDIT_SPACING = 0.5  # seconds between two passes that user edits of one object may start


class Key(NamedTuple):
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


class Priority(IntEnum):
    """Lower goes first."""

    USER = 0
    CHILD = 1
    BULK = 2  # first list, resync


def backoff(failures: int) -> float:
    """Seconds until the next try, 0.5 doubling to 300."""
    return min(LONGEST_RETRY, FIRST_RETRY * 2.0 ** min(failures, 20))


class Timer(NamedTuple):
    due: float
    handle: asyncio.TimerHandle
    priority: Priority


class WorkQueue:
    """Whoever adds a key wants one more pass over it; who takes one must say `done` or `failed`."""

    def __init__(self, clock: Clock, workers: int, may_work: Callable[[], bool]) -> None:
        self._clock = clock
        self._workers = workers
        self._may_work = may_work  # asked before each key: false without the Lease
        self._waiting: dict[Key, tuple[Priority, float]] = {}
        self._turns: dict[Priority, dict[str, dict[Key, None]]] = {p: {} for p in Priority}
        self._running: dict[Key, float] = {}
        self._dirty: dict[Key, Priority] = {}  # wanted again while its pass runs
        self._timers: dict[Key, Timer] = {}
        self._failures: dict[Key, int] = {}
        self._started: dict[Key, float] = {}
        self._changed = asyncio.Event()
        self._closed = False

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, key: Key, priority: Priority) -> None:
        if (timer := self._timers.get(key)) and timer.priority is Priority.USER:
            return  # in less than EDIT_SPACING, and no child event may undercut that
        spare = self._started.get(key, float("-inf")) + EDIT_SPACING - self._clock.monotonic()
        if priority is Priority.USER and spare > 0:
            self.add_after(key, spare, priority)
        else:
            self._add(key, priority)

    def add_after(self, key: Key, seconds: float, priority: Priority = Priority.CHILD) -> None:
        """Want a pass in `seconds`; the earliest such wish counts, and any pass fulfils it."""
        due = self._clock.monotonic() + seconds
        if timer := self._timers.get(key):
            if timer.due <= due or timer.priority is Priority.USER:
                return  # not even a conflict may undercut EDIT_SPACING: edits caused it
            self._timers.pop(key).handle.cancel()
        handle = self._clock.later(seconds, lambda: self._due(key, priority))
        self._timers[key] = Timer(due, handle, priority)

    async def take(self) -> Key:
        """The next key, once a worker is free and we may work."""
        while (key := self._next()) is None:
            self._changed.clear()
            await self._changed.wait()
        return key

    def done(self, key: Key, again: float | None = None) -> None:
        self._failures.pop(key, None)
        self._finish(key)
        if again is not None:
            self.add_after(key, again)

    def failed(self, key: Key, at_least: float) -> float:
        """Want another pass after a backoff, the first at once if `at_least` is 0; returns the
        seconds until then."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        self._finish(key)
        at_once = at_least == 0.0 and failures == 0
        seconds = 0.0 if at_once else max(at_least, self._clock.jitter(backoff(failures)))
        self.add_after(key, seconds)
        return seconds

    def forget(self, key: Key) -> None:
        """The object is gone: drop every wish and memory."""
        self._remove(key)
        self._dirty.pop(key, None)
        self._failures.pop(key, None)
        self._started.pop(key, None)
        if timer := self._timers.pop(key, None):
            timer.handle.cancel()

    def failures(self, key: Key) -> int:
        return self._failures.get(key, 0)

    def poke(self) -> None:
        """Look again whether we may work."""
        self._changed.set()

    async def close(self) -> None:
        """Hand out no more keys; returns when the running passes have ended."""
        self._closed = True
        for timer in self._timers.values():
            timer.handle.cancel()
        while self._running:
            self._changed.clear()
            await self._changed.wait()

    def oldest(self) -> float:
        """Seconds the longest waiting key has waited."""
        now = self._clock.monotonic()
        return max((now - since for _, since in self._waiting.values()), default=0.0)

    def longest(self) -> float:
        """Seconds the longest running pass has run."""
        now = self._clock.monotonic()
        return max((now - since for since in self._running.values()), default=0.0)

    def _add(self, key: Key, priority: Priority) -> None:
        if key in self._running:
            self._dirty[key] = min(priority, self._dirty.get(key, priority))
            return
        waiting, since = self._waiting.get(key, (None, self._clock.monotonic()))
        if waiting is not None and waiting <= priority:
            return
        self._remove(key)
        self._waiting[key] = (priority, since)
        self._turns[priority].setdefault(key.namespace, {})[key] = None
        self._changed.set()

    def _remove(self, key: Key) -> None:
        if key not in self._waiting:
            return
        turns = self._turns[self._waiting.pop(key)[0]]
        del turns[key.namespace][key]
        if not turns[key.namespace]:
            del turns[key.namespace]

    def _next(self) -> Key | None:
        if self._closed or len(self._running) >= self._workers or not self._waiting:
            return None
        if not self._may_work():
            return None
        turns = next(self._turns[p] for p in Priority if self._turns[p])
        namespace, keys = next(iter(turns.items()))
        key = next(iter(keys))
        turns[namespace] = turns.pop(namespace)  # to the end: namespaces in turn
        self._start(key)
        return key

    def _start(self, key: Key) -> None:
        self._remove(key)
        if timer := self._timers.pop(key, None):
            timer.handle.cancel()
        self._running[key] = self._started[key] = self._clock.monotonic()

    def _finish(self, key: Key) -> None:
        del self._running[key]
        if (priority := self._dirty.pop(key, None)) is not None:
            self.add(key, priority)
        self._changed.set()

    def _due(self, key: Key, priority: Priority) -> None:
        self._timers.pop(key, None)
        self._add(key, priority)
