"""Which child kinds can be used now: served by the API server, listed, and allowed to us."""

import asyncio
from collections.abc import Callable, Iterable

from microservice_operator.api.kinds import Kind
from microservice_operator.informer import Informer
from microservice_operator.observed import Record


class Catalog:
    """Runs one informer a kind; the informer of CRDs puts its records here and so starts and
    stops those of the optional kinds."""

    def __init__(
        self,
        kinds: Iterable[Kind],
        informer: Callable[[Kind], Informer],
        *,
        gone: Callable[[str], None],
        changed: Callable[[], None],
    ) -> None:
        self.forbidden: dict[str, str] = {}
        self.informers: dict[str, Informer] = {}
        self._kinds = {kind.resource: kind for kind in kinds}
        self._informer = informer
        self._gone = gone
        self._changed = changed
        self._definitions: dict[str, int] = {}
        self._version = 0
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._group: asyncio.TaskGroup | None = None
        self._watched = True

    @property
    def served(self) -> frozenset[str]:
        """Optional kinds in use; one whose first list has not come yet is not."""
        return frozenset(
            kind.kind
            for kind in self._kinds.values()
            if kind.optional and (i := self.informers.get(kind.kind)) and i.listed
        )

    def waiting(self) -> list[str]:
        """Kinds whose first list is still to come, without those the server does not give us."""
        return [
            informer.kind.resource
            for informer in self.informers.values()
            if not informer.listed and not (informer.error and informer.error.code in (403, 404))
        ]

    def defined(self, kind: Kind) -> bool:
        """Whether its CRD exists; true where CRDs may not be watched."""
        return not self._watched or kind.resource in self._definitions

    def start(self, group: asyncio.TaskGroup, *, definitions: bool) -> None:
        """Without the right to watch `definitions`, optional kinds are tried again and again."""
        self._group, self._watched = group, definitions
        self.update()

    def update(self) -> None:
        """Start and stop informers as what is served and allowed has changed."""
        for kind in self._kinds.values():
            if self._usable(kind) and kind.kind not in self._tasks:
                self._begin(kind)
            elif not self._usable(kind) and kind.kind in self._tasks:
                self._end(kind)
        self._changed()

    def _usable(self, kind: Kind) -> bool:
        readable = not {"list", "watch"} & set(self.forbidden.get(kind.kind, "").split(", "))
        return readable and (not kind.optional or self.defined(kind))

    def _begin(self, kind: Kind) -> None:
        assert self._group is not None
        self.informers[kind.kind] = informer = self._informer(kind)
        self._tasks[kind.kind] = self._group.create_task(informer.run(), name=kind.resource)

    def _end(self, kind: Kind) -> None:
        self._tasks.pop(kind.kind).cancel()
        del self.informers[kind.kind]
        self._gone(kind.kind)

    # the sink of the CRD informer

    def seen_to(self, _: str) -> int:
        return self._version

    def advance(self, _: str, version: int) -> None:
        self._version = max(self._version, version)

    def put(self, _: str, record: Record) -> bool:
        known = record.ref.name in self._definitions
        self._definitions[record.ref.name] = record.version
        if not known:
            self.update()
        return not known

    def drop(self, _: str, record: Record) -> bool:
        if self._definitions.pop(record.ref.name, None) is None:
            return False
        self.update()
        return True

    def replace(self, _: str, records: list[Record], version: int, *, since: int) -> None:
        del since  # names are all we keep, so an older list needs no special care
        self._definitions = {record.ref.name: record.version for record in records}
        self._version = version
        self.update()
