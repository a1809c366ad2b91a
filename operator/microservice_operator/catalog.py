"""Which child kinds can be used now: served by the API server, listed, and allowed to us."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from itertools import product

from microservice_operator.api.kinds import MICROSERVICE, Kind
from microservice_operator.informer import Informer
from microservice_operator.observed import Record
from microservice_operator.reach import EVERYWHERE, WHOLE_CLUSTER, Reach

Watched = tuple[str, str]  # a kind, in one namespace or EVERYWHERE
Gaps = Mapping[str, Mapping[str, str]]  # namespace or EVERYWHERE -> kind -> missing verbs


class Catalog:
    """Runs one informer a kind and part of its reach; the informer of CRDs puts its records here
    and so starts and stops those of the optional kinds."""

    def __init__(
        self,
        kinds: Iterable[Kind],
        informer: Callable[[Kind, str], Informer],
        *,
        gone: Callable[[str, str], None],
        changed: Callable[[], None],
        reach: Reach = WHOLE_CLUSTER,
    ) -> None:
        self.gaps: Gaps = {}
        self.informers: dict[Watched, Informer] = {}
        self._reach = reach
        self._kinds = {kind.resource: kind for kind in kinds}
        self._informer = informer
        self._gone = gone
        self._changed = changed
        self._definitions: dict[str, int] = {}
        self._version = 0
        self._tasks: dict[Watched, asyncio.Task[None]] = {}
        self._group: asyncio.TaskGroup | None = None
        self._watched = True

    def served(self, namespace: str) -> frozenset[str]:
        """Optional kinds in use there; one whose first list has not come yet is not."""
        part = self._reach.part(namespace)
        optional = (kind.kind for kind in self._kinds.values() if kind.optional)
        return frozenset(
            kind for kind in optional if (i := self.informers.get((kind, part))) and i.listed
        )

    def forbidden(self, namespace: str) -> Mapping[str, str]:
        """The verbs we lack there, by kind, as in {"Service": "create, patch"}."""
        return self.gaps.get(self._reach.part(namespace), {})

    def closed(self, namespace: str) -> bool:
        """Whether the MicroServices there are not for us: to read, or to tell how they are."""
        return MICROSERVICE.kind in self.forbidden(namespace)

    def waiting(self) -> list[str]:
        """Kinds whose first list is still to come, without those the server does not give us."""
        due = (
            informer.kind.resource
            for informer in self.informers.values()
            if not informer.listed and not (informer.error and informer.error.code in (403, 404))
        )
        return list(dict.fromkeys(due))

    def defined(self, kind: Kind) -> bool:
        """Whether its CRD exists; true where CRDs may not be watched."""
        return not self._watched or kind.resource in self._definitions

    def start(self, group: asyncio.TaskGroup, *, definitions: bool) -> None:
        """Without the right to watch `definitions`, optional kinds are tried again and again."""
        self._group, self._watched = group, definitions
        self.update()

    def update(self) -> None:
        """Start and stop informers as what is served and allowed has changed."""
        for kind, part in product(self._kinds.values(), self._reach.parts):
            usable, running = self._usable(kind, part), (kind.kind, part) in self._tasks
            if usable and not running:
                self._begin(kind, part)
            elif running and not usable:
                self._end(kind.kind, part)
        self._changed()

    def _usable(self, kind: Kind, part: str) -> bool:
        missing = self.gaps.get(part, {})
        readable = not {"list", "watch"} & set(missing.get(kind.kind, "").split(", "))
        here = readable and MICROSERVICE.kind not in missing
        return here and (not kind.optional or self.defined(kind))

    def _begin(self, kind: Kind, part: str) -> None:
        assert self._group is not None
        self.informers[kind.kind, part] = informer = self._informer(kind, part)
        task = self._group.create_task(informer.run(), name=kind.resource)
        self._tasks[kind.kind, part] = task

    def _end(self, kind: str, part: str) -> None:
        self._tasks.pop((kind, part)).cancel()
        del self.informers[kind, part]
        self._gone(kind, part)

    # the sink of the CRD informer

    def seen_to(self, _: str, namespace: str = EVERYWHERE) -> int:
        return self._version

    def advance(self, _: str, version: int, namespace: str = EVERYWHERE) -> None:
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

    def replace(
        self,
        _: str,
        records: list[Record],
        version: int,
        *,
        since: int,
        namespace: str = EVERYWHERE,
    ) -> None:
        del since  # names are all we keep, so an older list needs no special care
        self._definitions = {record.ref.name: record.version for record in records}
        self._version = version
        self.update()
