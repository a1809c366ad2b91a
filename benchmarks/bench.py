"""One run in progress: the contestant, the load, what is seen, and windows of measurement."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks import audit, meters
from benchmarks.api import Api
from benchmarks.audit import AuditGap, Entry
from benchmarks.contestants import Contestant
from benchmarks.load import NAMESPACE, manifest, names
from benchmarks.meters import Snapshot
from benchmarks.process import Process
from benchmarks.rig import SYSTEM, Rig
from benchmarks.world import Feed, Key, World

QUIET = 3.0  # seconds without an event of a service or child: all is done
LOGGED_WITHIN = 0.5  # seconds from an answer to its line in the audit log
GIVE_UP_SETTLING = 90.0
SERVERS = ("kube-apiserver", "etcd")
LOAD_USER = f"system:serviceaccount:{SYSTEM}:load"
Record = dict[str, Any]


@dataclass(frozen=True)
class Options:
    """`idle`: seconds of S5; `storm`: seconds of status events in S4; `fight`: seconds in S7."""

    idle: float = 300.0
    storm: float = 30.0
    fight: float = 15.0


@dataclass
class Bench:
    rig: Rig
    contestant: Contestant
    process: Process
    api: Api
    feed: Feed
    count: int
    options: Options
    container: str
    servers: Sequence[int] = field(init=False)

    def __post_init__(self) -> None:
        self.servers = meters.within(self.container, *SERVERS)

    @property
    def world(self) -> World:
        return self.feed.world

    @property
    def names(self) -> list[str]:
        return names(self.count)

    @property
    def keys(self) -> list[Key]:
        return [(NAMESPACE, name) for name in self.names]

    @property
    def patience(self) -> float:
        return 120.0 + 2.0 * self.count

    async def create(self, namespace: str, name: str) -> float:
        """When it was answered. By apply, so that the same again changes nothing."""
        kind = self.contestant.kind
        body = manifest(kind, namespace, name)
        live = await self.api.apply(kind.path(namespace, name), body, "load")
        answered = time.monotonic()
        self.tell("create", namespace, name, live["metadata"]["uid"])
        return answered

    def tell(self, verb: str, namespace: str, name: str, uid: str) -> None:
        """The floor watches nothing: it hears of every change as it is answered."""
        if not self.contestant.operates and (pipe := self.process.child.stdin):
            pipe.write(f"{verb} {namespace} {name} {uid}\n".encode())
            pipe.flush()

    async def settle(self, seconds: float = QUIET) -> None:
        """Until nothing has moved for so long."""
        until = time.monotonic() + GIVE_UP_SETTLING
        idle_since = time.monotonic()
        while (now := time.monotonic()) < until:
            quiet = now - max(self.world.last_event, idle_since)
            if quiet >= seconds:
                break
            await asyncio.sleep(seconds - quiet)
        await asyncio.sleep(LOGGED_WITHIN)

    async def window(self) -> Window:
        window = Window(self)
        await window.open()
        return window


class Window:
    """What is counted between `open` and `close`; CPU time until `stop`, where that comes first."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._cpu: tuple[float, float] | None = None
        self.void: list[str] = []

    async def open(self) -> None:
        self._revision = await self._bench.api.revision()
        await asyncio.sleep(LOGGED_WITHIN)  # the line of that very request
        self._snapshot = Snapshot.take()
        self._start = self._bench.rig.audit_log.stat().st_size
        self._sent = self._bench.api.sent
        self._events = Counter(self._bench.world.events)
        self._servers = self._server_cpu()
        self._operator = meters.cpu(self._bench.process.pid)
        self._clock = time.time() - time.monotonic()
        self.began = time.monotonic()

    def stop(self) -> None:
        own = meters.cpu(self._bench.process.pid) - self._operator
        self._cpu = (own, self._server_cpu() - self._servers)
        self.ended = time.monotonic()

    def restarted(self) -> None:
        """The contestant is a new process from now on."""
        self._operator = 0.0

    async def close(self, *, quiet: float = QUIET) -> Record:
        if self._cpu is None:
            self.stop()
        assert self._cpu is not None
        await self._bench.settle(quiet)
        end, sent = self._bench.rig.audit_log.stat().st_size, self._bench.api.sent
        after = Snapshot.take()
        self._entries = entries = self._read(end, sent)
        revision = await self._bench.api.revision()
        own, servers = self._cpu
        noise = meters.noise(self._snapshot, after, self._bench.container)
        self.void += noise.reasons()
        self.void += [f"node {name} is not ready" for name in self._bench.rig.nodes_not_ready()]
        return {
            "requests": audit.counted(entries),
            "requests_until_ready": audit.counted(e for e in entries if self._counts(e)),
            "revisions": revision - self._revision,
            "events": dict(self._bench.world.events - self._events),
            "seconds": round(self.ended - self.began, 3),
            "cpu_operator_s": round(own, 3),
            "cpu_apiserver_s": round(servers, 3),
            "rss_peak_mb": round(meters.rss_mb(self._bench.process.pid, peak=True), 1),
            "rss_mb": round(meters.rss_mb(self._bench.process.pid, peak=False), 1),
            "steal": round(noise.steal, 4),
            "void": "; ".join(dict.fromkeys(self.void)) or None,
        }

    def requests_but_for(self, name: str) -> dict[str, int]:
        return audit.counted(entry for entry in self._entries if entry.name != name)

    def _read(self, end: int, sent: int) -> list[Entry]:
        """The contestant's own; our own must all be there, else lines are missing."""
        try:
            entries = list(audit.read(self._bench.rig.audit_log, self._start, end))
        except AuditGap as gap:
            self.void.append(str(gap))
            return []
        found = audit.answered(e for e in entries if e.user == LOAD_USER)
        if found != sent - self._sent:
            self.void.append(f"audit gap: {found} of {sent - self._sent} requests of the load")
        return [entry for entry in entries if entry.user == self._bench.contestant.user]

    def _counts(self, entry: Entry) -> bool:
        """Received before the service it is about was seen ready."""
        ready = self._bench.world.ready_at((entry.namespace, entry.name))
        return ready is not None and entry.received <= ready + self._clock

    def _server_cpu(self) -> float:
        return sum(meters.cpu(pid) for pid in self._bench.servers)
