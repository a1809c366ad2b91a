"""A service: its HTTP apps, its database, its messages and its background work, in one object."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from importlib import metadata
from typing import Any

import httpx
import structlog
from fastapi import APIRouter

from shopkit import audit, gauges, idempotency, inbox, letters, switches
from shopkit.auth import AUDIENCE, ISSUER, Verifier
from shopkit.chassis import Chassis
from shopkit.client import Client
from shopkit.consumer import Consumer
from shopkit.db import Database
from shopkit.drain import Drain
from shopkit.engine import SagaEngine
from shopkit.errors import Unavailable
from shopkit.http import admin_app, public_app
from shopkit.messages import B
from shopkit.metrics import Metrics
from shopkit.probes import Probes
from shopkit.registry import AnswerFrom, Do, Handler, Handlers
from shopkit.relay import Relay
from shopkit.saga import SagaDefinition
from shopkit.settings import Settings
from shopkit.spans import Spans
from shopkit.switches import Disturbed, Switches
from shopkit.tasks import Run, Tasks
from shopkit.transport import Transport
from shopkit.transport.memory import MemoryTransport
from shopkit.waker import Waker, first_of
from shopkit.world import World

__all__ = ["Service", "World", "command_line", "serve"]

_POLL = 0.5
_GAUGES_EVERY = 5.0
_CLEAN_EVERY = 3600.0
_FLUSH = 3.0  # of the 45 s in which a drained process has to be gone


class Service:
    """Wiring only: nothing is opened before `start`."""

    def __init__(
        self,
        name: str,
        settings: Settings,
        world: World | None = None,
        *,
        package: str | None = None,
        schema: int = 0,
        paths: tuple[str, ...] = ("/",),
        version: str | None = None,
    ) -> None:
        self.name, self.settings, self.world = name, settings, world or World()
        self.package, self.schema, self.paths = package or name, schema, paths
        self.clock, self.ids = self.world.clock, self.world.ids
        self.version = version or _version_of(f"shop-{name}")
        self.log = structlog.get_logger().bind(service=name, version=self.version)
        self.metrics = Metrics(name, self.version, schema)
        self.spans = Spans(name, self.version, settings.otel_exporter_otlp_endpoint)
        self.drain = Drain()
        self.db = Database(name, settings, self.clock, self.ids, self.world.points)
        self.probes = Probes(self.db, schema, self.drain)
        self.verifier = self._verifier()
        self.switches = Switches(self.clock, self.ids)
        self._handlers = Handlers()
        self._clients: list[httpx.AsyncClient] = []
        self._runs: dict[str, Run] = {}
        self._running = asyncio.Event()
        self._at_rest()
        self._chassis = self._assemble(_transport(name, settings, self.world))
        self._make_apps()

    def _assemble(self, transport: Transport) -> Chassis:
        points, metrics = self.world.points, self.metrics
        common = (self.db, transport, self.settings, self.clock, self.ids)
        return Chassis(*common, points, metrics, self.switches, self.spans)

    def _at_rest(self) -> None:
        # The same event for ever: somebody may wait for the start before it is called.
        self._running.clear()
        self._housekeeping, self._work = Tasks(self.name), Tasks(self.name)

    def _make_apps(self) -> None:
        around = dict(metrics=self.metrics, drain=self.drain, clock=self.clock, spans=self.spans)
        self.app = public_app(self.name, self.version, self.probes, around)
        self.admin = admin_app(self.name, self.metrics)
        self.app.state.service = self.admin.state.service = self
        if self.settings.shop_faults:
            self.app.add_middleware(Disturbed, switches=self.switches)
            self.admin_routes(switches.routes(self, self.switches))
        if self.schema:
            self.admin_routes(letters.routes(self.db, self._handlers, self.spans))

    def _verifier(self) -> Verifier | None:
        jwks = self.settings.token_jwks
        if jwks is None:
            return None
        text, clock = jwks.get_secret_value(), self.clock
        return Verifier.from_json(text, issuer=ISSUER, audience=AUDIENCE, clock=clock)

    # ---- wiring -----------------------------------------------------------------------------

    def routes(self, router: APIRouter) -> None:
        self.app.include_router(router)

    def admin_routes(self, router: APIRouter) -> None:
        self.admin.include_router(router)

    def on_command(self, body: type[B], *, do: Do[B], answer: AnswerFrom[B] | None = None) -> None:
        self._handlers.add("cmd", Handler(body, do, answer))

    def on_reply(self, body: type[B], *, do: Do[B]) -> None:
        self._handlers.add("reply", Handler(body, do))

    def saga(self, definition: SagaDefinition) -> SagaEngine:
        engine = SagaEngine(self._chassis, definition, self._handlers)
        self.worker(f"saga-{definition.name}", engine.run)
        return engine

    def worker(self, name: str, run: Run) -> None:
        self._runs[name] = run

    def every(self, name: str, seconds: float, work: Callable[[], Awaitable[None]]) -> Waker:
        """Runs at once, then each `seconds` after the last run ended, or when woken."""
        waker = Waker(self.clock)

        async def run(stop: asyncio.Event) -> None:
            while not stop.is_set():
                await work()
                await first_of(waker.wait(seconds), stop.wait())

        self.worker(name, run)
        return waker

    def client(
        self,
        peer: str,
        base_url: str,
        *,
        deadline: float = 5,
        headers: Mapping[str, str] | None = None,
    ) -> Client:
        http = httpx.AsyncClient(
            base_url=base_url, headers=headers, timeout=deadline, transport=self.world.http
        )
        self._clients.append(http)
        points, metrics = self.world.points, self.metrics
        return Client(self.name, peer, http, deadline, self.clock, points, metrics, self.spans)

    def audited(self, what: audit.Audit | None = None) -> None:
        """Once: `/internal/audit` on the admin port, with the kit's own checks besides."""
        audit.install(self, what or audit.Audit())

    # ---- life -------------------------------------------------------------------------------

    async def start(self) -> None:
        """Returns at once, also when database and broker are away."""
        self.world.points.revive(self.name)
        self._at_rest()
        self.spans.open()
        if self.schema:
            await self.db.open()
        await self._chassis.transport.start()
        self._housekeeping.start("heart", self.probes.heart)
        self._housekeeping.start("boot", self._boot)

    async def _boot(self, stop: asyncio.Event) -> None:
        if self.schema and self.db.dialect == "sqlite":
            # The file belongs to this process, so nobody else could migrate it.
            await self.migrate()
        await self._wait_for_schema(stop)
        if stop.is_set():
            return
        if self.schema:
            self._start_database_work()
        if self.settings.consumers:
            self._start_work()
        self.log.info("started", revision=self.schema)
        self._running.set()

    async def _wait_for_schema(self, stop: asyncio.Event) -> None:
        said = ""
        while not stop.is_set() and (trouble := await self.probes.database_trouble()):
            if trouble != said:
                self.log.warning("waiting", reason=trouble)
            said = trouble
            await first_of(asyncio.sleep(_POLL), stop.wait())

    def _start_database_work(self) -> None:
        async def refresh() -> None:
            async with self.db.read() as tx:
                await gauges.refresh(tx, self.metrics)

        async def clean() -> None:
            async with self.db.transaction("clean") as tx:
                await inbox.clean(tx)
                await idempotency.clean(tx)

        self._housekeeping.start("gauges", self._periodic(_GAUGES_EVERY, refresh))
        self._housekeeping.start("clean", self._periodic(_CLEAN_EVERY, clean))

    def _periodic(self, seconds: float, work: Callable[[], Awaitable[None]]) -> Run:
        async def run(stop: asyncio.Event) -> None:
            while not stop.is_set():
                await work()
                await first_of(self.clock.sleep(seconds), stop.wait())

        return run

    def _start_work(self) -> None:
        if self.schema:
            waker = Waker(self.clock)
            self.db.wake_outbox = waker.wake
            self._relay = Relay(self._chassis, waker)
            self._housekeeping.start("relay", self._relay.run)
        for kind in self._handlers.kinds():
            consumer = Consumer(self._chassis, self._handlers, kind)
            self._work.start(f"consumer-{kind}", consumer.run)
        for name, run in self._runs.items():
            self._work.start(name, run)

    async def settled(self) -> None:
        """Until the database has the schema and the work runs."""
        await self._running.wait()

    async def quiesce(self) -> None:
        """Takes no new work; what runs may end within `drain_timeout`."""
        self.drain.stop()
        await self._work.finish(self.settings.drain_timeout)

    async def finish(self) -> None:
        """Publishes what is left, then closes everything."""
        self.drain.stop()
        await self._housekeeping.finish(self.settings.relay_lease)
        await self._last_pass()
        await self.spans.close(_FLUSH)
        await self._close()

    async def _last_pass(self) -> None:
        if not self._running.is_set() or not self.schema or not self.settings.consumers:
            return
        try:
            # Bounded: the other replicas go on filling the same table.
            async with asyncio.timeout(self.settings.relay_lease):
                while (await self._relay.once())[0]:
                    pass
        except (Unavailable, TimeoutError) as error:
            self.log.warning("outbox_left", error=str(error))

    async def _close(self) -> None:
        await self._chassis.transport.stop()
        for http in self._clients:
            await http.aclose()
        await self.db.close()

    async def stop(self) -> None:
        await self.quiesce()
        await self.finish()

    async def kill(self) -> None:
        """For tests: as if the process had died. No effect comes after this."""
        self.world.points.bury(self.name)
        await self._work.cancel()
        await self._housekeeping.cancel()
        await self.spans.close(0)
        await self._close()

    async def migrate(self) -> int:
        from shopkit import migrate  # slow to import; `serve` on PostgreSQL never needs it

        await self.db.open()
        return await migrate.upgrade(self.db, self.package)


def _transport(name: str, settings: Settings, world: World) -> Transport:
    if settings.nats_url is None:
        return MemoryTransport(name, world.broker, settings.ack_wait)
    from shopkit.transport.nats import NatsTransport  # slow to import; the embedded shop needs none

    url = settings.nats_url.get_secret_value()
    return NatsTransport(name, url, settings.ack_wait, world.clock)


def _version_of(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "0"


def serve(*services: Service) -> None:
    """Until SIGTERM or Ctrl-C; see `shopkit.server`."""
    from shopkit import server

    server.serve(services)


def command_line(
    settings: type[Any], create_app: Callable[[Any], Service], *, package: str
) -> None:
    """`<service> serve | migrate`; see `shopkit.cli`."""
    from shopkit import cli

    cli.run(settings, create_app, package)
