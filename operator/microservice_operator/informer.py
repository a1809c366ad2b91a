"""One child kind, in one namespace or all: list, watch, and replace on every new list, so that
nothing lost stays lost."""

import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from typing import Any, Protocol

from microservice_operator.api.kinds import Kind
from microservice_operator.clock import Clock
from microservice_operator.errors import ApiError
from microservice_operator.observed import Record
from microservice_operator.reach import EVERYWHERE

SILENCE = 90.0  # seconds without event or bookmark (one a minute) until a watch counts as dead
WATCH = 290.0  # seconds after which the server ends a watch
IDLE_WATCH = 1.0  # seconds until the next watch after one that told nothing
LONGEST_RETRY = 15.0  # 30 s after an outage, all that changed meanwhile is to be made up

log = logging.getLogger(__name__)


class ListApi(Protocol):
    """The requests of this module; each raises ApiError."""

    def pages(
        self, kind: Kind, namespace: str, reason: str
    ) -> AsyncIterator[tuple[list[Any], int]]: ...
    def watch(
        self, kind: Kind, namespace: str, version: int, seconds: float, silence: float
    ) -> AsyncGenerator[Any, None]: ...


class Sink(Protocol):
    """Where records go; `store.Store` in the operator."""

    def seen_to(self, kind: str, namespace: str) -> int: ...
    def put(self, kind: str, record: Record) -> bool: ...
    def drop(self, kind: str, record: Record) -> bool: ...
    def replace(
        self, kind: str, records: list[Record], version: int, *, since: int, namespace: str
    ) -> None: ...
    def advance(self, kind: str, version: int, namespace: str) -> None: ...


class Informer:
    """Keeps the records of one kind in the store, for ever; `listed` after the first full list."""

    def __init__(
        self,
        kind: Kind,
        namespace: str = EVERYWHERE,
        *,
        api: ListApi,
        store: Sink,
        record: Callable[[Kind, Any], Record],
        clock: Clock,
        relist: float,
        on_event: Callable[[Kind, bool], None],
        on_listed: Callable[[Kind, bool], None],
        on_failed: Callable[[ApiError], None],
        on_gone: Callable[[str, str], None] = lambda kind, namespace: None,
    ) -> None:
        self.kind, self.namespace = kind, namespace
        self.listed = False
        self.error: ApiError | None = None
        self.heard_at = clock.monotonic()
        self._api, self._store, self._record, self._clock = api, store, record, clock
        self._relist = relist
        self._on_event, self._on_listed, self._on_failed = on_event, on_listed, on_failed
        self._on_gone = on_gone

    async def run(self) -> None:
        failures = 0
        while True:
            try:
                version = await self._list()
                failures = 0
                await self._follow(version)
            except ApiError as error:
                failures = 0 if error.code == 410 else failures + 1
                await self._rest(error, failures)

    async def _list(self) -> int:
        since = self._store.seen_to(self.kind.kind, self.namespace)
        records: list[Record] = []
        version = 0
        reason = "relist" if self.listed else "start"
        async for items, at in self._api.pages(self.kind, self.namespace, reason):
            self._heard()
            records += [self._record(self.kind, item) for item in items]
            version = at
        self._store.replace(self.kind.kind, records, version, since=since, namespace=self.namespace)
        first, self.listed, self.error = not self.listed, True, None
        self._on_listed(self.kind, first)
        return version

    async def _follow(self, version: int) -> None:
        """Watch after watch, until it is time for a new list or the server wants one (410)."""
        until = self._clock.monotonic() + self._clock.jitter(self._relist)
        while self._clock.monotonic() < until:
            try:
                version = await self._watch(version, until - self._clock.monotonic())
            except ApiError as error:
                if error.code in (404, 410):
                    raise
                version = max(version, self._store.seen_to(self.kind.kind, self.namespace))
                await self._rest(error, 1)

    async def _watch(self, since: int, left: float) -> int:
        seconds, version = min(self._clock.jitter(WATCH, 0.1), left), since
        watch = self._api.watch(self.kind, self.namespace, since, seconds, SILENCE)
        async with aclosing(watch) as events:
            async for event in events:
                self._heard()
                version = self._take(event["type"], event["object"])
        if version == since:  # whoever ends watches at once shall not be asked in a busy loop
            await self._clock.sleep(self._clock.jitter(IDLE_WATCH))
        return version

    def _take(self, type_: str, item: Any) -> int:
        if type_ == "ERROR":
            raise ApiError(item.get("code", 500), item.get("reason", ""), item.get("message", ""))
        version = int(item["metadata"]["resourceVersion"])
        if type_ != "BOOKMARK":
            record = self._record(self.kind, item)
            move = self._store.drop if type_ == "DELETED" else self._store.put
            self._on_event(self.kind, move(self.kind.kind, record))
        self._store.advance(self.kind.kind, version, self.namespace)
        return version

    def _gone(self) -> None:
        """There is no list either: the CRD is gone, or serves our version no more."""
        if self.kind.optional and self.listed:
            self.listed = False
            self._on_gone(self.kind.kind, self.namespace)

    def _heard(self) -> None:
        self.heard_at = self._clock.monotonic()

    async def _rest(self, error: ApiError, failures: int) -> None:
        expected = error.code in (0, 410) or (error.code == 404 and self.kind.optional)
        if not expected:
            log.warning("watch of %s: %s", self.kind.resource, error)
        self.error = error
        if error.code == 404 and failures > 1:
            self._gone()
        self._on_failed(error)
        pause = min(LONGEST_RETRY, 0.5 * 2.0 ** min(failures, 10)) if failures else 0.1
        await self._clock.sleep(self._clock.jitter(error.retry_after or pause))
