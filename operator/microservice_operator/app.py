"""One operator, wired: transport, store, informers, queue, Lease, workers; start and stop."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from typing import Any, Self

import aiohttp

from microservice_operator.api.kinds import MICROSERVICE, Kind
from microservice_operator.api.platform import Platform
from microservice_operator.catalog import Catalog
from microservice_operator.clock import Clock
from microservice_operator.cluster import DEFINITION, Cluster
from microservice_operator.connection import Connection
from microservice_operator.desired import KINDS, record
from microservice_operator.errors import ApiError, OperatorError
from microservice_operator.informer import Informer
from microservice_operator.lease import Lease
from microservice_operator.metrics import Metrics, served
from microservice_operator.observed import Record, Ref
from microservice_operator.permissions import Rights
from microservice_operator.reach import EVERYWHERE, Reach
from microservice_operator.reconcile import Reconciler
from microservice_operator.settings import Settings
from microservice_operator.store import Store
from microservice_operator.transport import Transport
from microservice_operator.workqueue import Key, Priority, WorkQueue

GRACE = 5.0  # seconds that passes get to end when the process stops
RESYNC = 600.0  # seconds between two passes over everything, from memory alone
STUCK = 300.0  # seconds without any progress after which only a restart helps

log = logging.getLogger(__name__)


class DefinitionGone(OperatorError):
    """Without its CRD a process has nothing to watch."""


class App:
    """kopf calls `start`, `login`, `notice`, `stop`; `ended` is set when the rest has failed."""

    def __init__(
        self,
        settings: Settings,
        platform: Platform,
        connection: Connection,
        clock: Clock,
        on_ready: Callable[[], None] = lambda: None,
    ) -> None:
        self.ended = asyncio.Event()
        self._informed = asyncio.Event()
        self.failure: BaseException | None = None
        self.metrics = Metrics()
        self.settings = settings
        self.clock = clock
        self._on_ready = on_ready
        self.reach = Reach(settings.namespaces)
        self.transport = Transport(
            connection,
            self.metrics,
            clock,
            settings.connections,
            parts=len(self.reach.parts),
        )
        self.cluster = Cluster(
            self.transport, clock, identity=settings.identity, namespace=settings.pod_namespace
        )
        self.lease = Lease(self.cluster, settings.identity, clock, self._lease_changed)
        self.queue = WorkQueue(clock, settings.workers, lambda: self.lease.held)
        self.store = Store(lambda key: self.queue.add(key, Priority.CHILD), self.reach)
        self.catalog = Catalog(
            KINDS.values(),
            self._informer,
            gone=self._kind_gone,
            changed=self._definitions_changed,
            reach=self.reach,
        )
        self.rights = Rights(
            self.cluster,
            home=settings.pod_namespace,
            reach=self.reach,
            kinds=tuple(KINDS.values()),
            metrics=self.metrics,
            clock=clock,
        )
        self.reconciler = Reconciler(
            self.store, self.cluster, self.catalog, platform, clock, self.metrics
        )
        self.definitions = self._informer(DEFINITION)
        self._served = AsyncExitStack()
        self._task: asyncio.Task[None] | None = None
        self._watched = False  # whether CRDs may be
        self.waits_for: str | None = "the API server"

    async def __aenter__(self) -> Self:
        if port := self.settings.metrics_port:
            pages = {"/metrics": lambda: (200, self.metrics.text()), "/readyz": self._readyz}
            await self._served.enter_async_context(served(port, pages))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()
        await self._served.aclose()
        await self.transport.__aexit__()

    async def until_served(self) -> None:
        """Wait for the API server and for our CRD; raises NotAllowed.

        Before kopf: one that is stopped while it starts tells of its own troubles."""
        async with AsyncExitStack() as stack:
            if port := self.settings.probe_port:
                await stack.enter_async_context(
                    served(port, {"/healthz": lambda: (200, "waiting")})
                )
            while (reason := await self._unserved()) is not None:
                if reason != self.waits_for:
                    log.warning("waiting for %s", reason)
                self.waits_for = reason
                await self.clock.sleep(1.0)
            self.catalog.gaps = await self.rights.ask()
            self._watched = await self.rights.may_watch_definitions()

    async def _unserved(self) -> str | None:
        try:
            there = await self.cluster.serves(MICROSERVICE)
        except ApiError as error:
            return f"the API server: {error}"
        return None if there else f"the CRD {MICROSERVICE.resource}"

    # what kopf calls

    @property
    def started(self) -> bool:
        return self._task is not None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="operator")

    async def stop(self) -> None:
        """Let passes end at a write boundary, hand the Lease over, close all connections."""
        self.ended.set()  # kopf forgets the task that waits for it, and then waits 5 s for that
        if self._task is None:
            return
        task, self._task = self._task, None
        try:
            async with self.clock.timeout(GRACE):
                await self.queue.close()
        except TimeoutError:
            log.warning("passes are cut off after %d s", GRACE)
        task.cancel()
        await asyncio.wait([task])
        await self.lease.release()

    def login(self) -> aiohttp.ClientSession:
        return self.transport.lend()

    def notice(self, type_: str | None, body: Mapping[str, Any]) -> None:
        """An event of the MicroService watch; `type_` None means that it comes from a list."""
        key = Key(body["metadata"]["namespace"], body["metadata"]["name"])
        if type_ == "DELETED":
            if self.store.forget(key, body["metadata"]["uid"]):
                self.queue.forget(key)
                self.reconciler.paces.pop(key, None)
        elif self.store.notice(body, listed=type_ is None):
            self.queue.add(key, Priority.BULK if type_ is None else Priority.USER)
        if self.catalog.closed(key.namespace):  # not any more, as it seems
            self.rights.doubt()

    # what probes ask

    def _readyz(self) -> tuple[int, str]:
        """Whether this process could take over now; a standby is as ready as the leader."""
        return (503, f"waiting for {self.waits_for}") if self.waits_for else (200, "ready")

    def stuck(self) -> str | None:
        """Why a restart would help; never an API server that is away."""
        if (seconds := self.queue.longest()) > STUCK:
            return f"a pass has been running for {seconds:.0f} s"
        informers = [*self.catalog.informers.values(), self.definitions]
        heard = [informer.heard_at for informer in informers if informer.listed]
        if heard and max(heard) - min(heard) > STUCK:
            return "a watch is silent while others are not"
        return None

    # the life of the operator

    async def _run(self) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                await self._begin(group, self._watched)
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            self.failure = _first(error)
        self.ended.set()

    def _definitions_changed(self) -> None:
        """kopf would stop its watch and not start it again in time: let the kubelet restart us."""
        if not self.waits_for and not self.catalog.defined(MICROSERVICE):
            self.failure = DefinitionGone(f"the CRD {MICROSERVICE.resource} was deleted")
            self.ended.set()

    def _kind_gone(self, kind: str, namespace: str) -> None:
        self.store.clear(kind, namespace)
        self._add_all()

    async def _begin(self, group: asyncio.TaskGroup, watched: bool) -> None:
        if watched:
            group.create_task(self.definitions.run(), name="definitions")
        self.catalog.start(group, definitions=watched)
        await self._listed(watched)
        group.create_task(self.lease.run(), name="lease")
        group.create_task(self._work(group), name="work")
        group.create_task(self._resync(), name="resync")
        group.create_task(self._review(), name="review")
        group.create_task(self._measure(), name="measure")
        self.waits_for = None
        self._on_ready()
        log.info("ready: all kinds are listed")

    async def _listed(self, watched: bool) -> None:
        while (watched and not self.definitions.listed) or self.catalog.waiting():
            self.waits_for = f"lists of {', '.join(self.catalog.waiting())}"
            self._informed.clear()
            await self._informed.wait()

    async def _work(self, group: asyncio.TaskGroup) -> None:
        while True:
            key = await self.queue.take()
            group.create_task(self._reconcile(key), name=f"pass {key}")

    async def _reconcile(self, key: Key) -> None:
        with self.metrics.pass_seconds.time():
            verdict = await self.reconciler.reconcile(key)
        self.metrics.passes.labels(verdict.result).inc()
        if verdict.retry is None:
            self.queue.done(key, verdict.again)
        else:
            self.queue.failed(key, verdict.retry)

    async def _resync(self) -> None:
        while True:
            await self.clock.sleep(self.clock.jitter(RESYNC, 0.1))
            self._add_all()

    async def _review(self) -> None:
        while True:
            self.catalog.gaps = await self.rights.changed(self.catalog.gaps)
            self.catalog.update()
            self._add_all()

    async def _measure(self) -> None:
        while True:
            due = self.clock.monotonic() + 5.0
            await self.clock.sleep(5.0)
            now = self.clock.monotonic()
            self.metrics.loop_lag.set(max(0.0, now - due))
            self.metrics.queued.set(len(self.queue))
            self.metrics.oldest.set(self.queue.oldest())
            self.metrics.heard.clear()  # of kinds that are gone
            heard: dict[str, float] = {}  # of several namespaces, the most silent counts
            for informer in self.catalog.informers.values():
                resource = informer.kind.resource
                heard[resource] = min(informer.heard_at, heard.get(resource, now))
            for resource, at in heard.items():
                self.metrics.heard.labels(resource).set(now - at)

    def _add_all(self) -> None:
        for key in self.store.all_keys():
            self.queue.add(key, Priority.BULK)

    def _lease_changed(self, held: bool) -> None:
        self.metrics.leader.set(held)
        self.queue.poke()

    def _informer(self, kind: Kind, namespace: str = EVERYWHERE) -> Informer:
        definitions = kind is DEFINITION
        return Informer(
            kind,
            namespace,
            api=self.cluster,
            store=self.catalog if definitions else self.store,
            record=_definition if definitions else record,
            clock=self.clock,
            relist=self.settings.relist_seconds,
            on_event=self._seen,
            on_listed=self._listed_kind,
            on_failed=self._failed,
            on_gone=self._kind_gone,
        )

    def _failed(self, error: ApiError) -> None:
        self._informed.set()
        if error.code == 403:
            self.rights.doubt()

    def _seen(self, kind: Kind, changed: bool) -> None:
        self.metrics.events_seen.labels(kind.resource, str(changed).lower()).inc()

    def _listed_kind(self, kind: Kind, first: bool) -> None:
        """An optional kind that comes later is wanted by services that had to do without it."""
        self._informed.set()
        if first and kind.optional and not self.waits_for:
            self._add_all()


def _first(error: BaseException) -> BaseException:
    """The one that ended the task group; its siblings were only cancelled."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _definition(kind: Kind, item: Mapping[str, Any]) -> Record:
    metadata = item["metadata"]
    return Record(
        ref=Ref(kind.kind, metadata["name"]),
        namespace="",
        uid=metadata["uid"],
        version=int(metadata["resourceVersion"]),
        controller=None,
        owned="",
    )
