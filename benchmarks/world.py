"""What the observer has seen, folded: who has converged, who is ready, since when."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from benchmarks.load import SEVEN
from e2e.cluster.errors import Problem

PAUSE = 0.03  # seconds between two looks
KINDS = frozenset(kind.kind for kind in SEVEN)
Key = tuple[str, str]  # namespace, name


@dataclass(frozen=True, slots=True)
class Seen:
    """The newest version of an object; `at` is the observer's monotonic clock."""

    at: float
    uid: str
    version: int
    image: str | None
    owner: str | None = None  # of a child
    label: str | None = None  # of a child
    generation: int = 0  # of a service


@dataclass
class World:
    """`converged` and `ready` hold the first time for each image and generation."""

    services: dict[Key, Seen] = field(default_factory=dict)
    children: dict[Key, dict[str, Seen]] = field(default_factory=dict)
    converged: dict[tuple[Key, str | None], float] = field(default_factory=dict)
    ready: dict[tuple[Key, int], float] = field(default_factory=dict)
    events: Counter[str] = field(default_factory=Counter)
    last_event: float = 0.0

    def feed(self, line: dict[str, Any]) -> None:
        key, kind = (line["namespace"], line["name"]), line["kind"]
        child = kind in KINDS
        if child and line["owner"] is None:
            return
        self.events[f"{line['event']} {kind if child else 'service'}"] += 1
        self.last_event = line["at"]
        if child:
            self._child(key, kind, line)
        else:
            self._service(key, line)
        self._judge(key, line["at"])

    def _child(self, key: Key, kind: str, line: dict[str, Any]) -> None:
        if line["event"] == "DELETED":
            self.children.get(key, {}).pop(kind, None)
            if not self.children.get(key):
                self.children.pop(key, None)
            return
        seen = Seen(
            at=line["at"],
            uid=line["uid"],
            version=line["version"],
            image=line["image"],
            owner=line["owner"],
            label=line["label"],
        )
        self.children.setdefault(key, {})[kind] = seen

    def _service(self, key: Key, line: dict[str, Any]) -> None:
        if line["event"] == "DELETED":
            self.services.pop(key, None)
            return
        image, generation = line["image"], line["generation"]
        self.services[key] = Seen(
            at=line["at"],
            uid=line["uid"],
            version=line["version"],
            image=image,
            generation=generation,
        )
        if line["ready"]:
            self.ready.setdefault((key, generation), line["at"])

    def _judge(self, key: Key, at: float) -> None:
        """All seven are there, of this very owner, with the image that it wants."""
        service, children = self.services.get(key), self.children.get(key, {})
        if service is None or service.image is None or len(children) < len(KINDS):
            return
        ours = all(child.owner == service.uid for child in children.values())
        if ours and children["Deployment"].image == service.image:
            self.converged.setdefault((key, service.image), at)

    def has_converged(self, key: Key) -> bool:
        """With the image that it wants now."""
        service = self.services.get(key)
        return service is not None and (key, service.image) in self.converged

    def are_ready(self, keys: Iterable[Key]) -> bool:
        """At the generation that they have now."""
        return all(self.ready_at(key) is not None for key in keys)

    def ready_at(self, key: Key) -> float | None:
        service = self.services.get(key)
        return None if service is None else self.ready.get((key, service.generation))

    def is_empty(self, namespace: str) -> bool:
        return not any(key[0] == namespace for key in (*self.services, *self.children))


class Feed:
    """A world that is kept up to date from the observer's lines, and can be waited for."""

    def __init__(self, lines: asyncio.StreamReader) -> None:
        self.world = World()
        self.listening = False
        self._lines = lines
        self._changed = asyncio.Event()

    async def run(self, parse: Callable[[bytes], dict[str, Any]]) -> None:
        """Ends with an error when the observer does: what it missed is lost."""
        while raw := await self._lines.readline():
            line = parse(raw)
            if "listening" in line:
                self.listening = True
            else:
                self.world.feed(line)
            self._changed.set()
        raise Problem("the observer has ended", remedy="see observer.log in .run/bench")

    async def until(self, holds: Callable[[], bool], seconds: float) -> bool:
        """Whether it came true in time; not asked at every event, of which there are thousands."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not holds():
                    self._changed.clear()
                    await self._changed.wait()
                    await asyncio.sleep(PAUSE)
        return holds()
