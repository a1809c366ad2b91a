"""The one home of kopf: the MicroService watch, the life of the process, login and probes."""

import logging
from collections.abc import Iterator
from typing import Any

import kopf

from microservice_operator.api.kinds import GROUP, MICROSERVICE, VERSION
from microservice_operator.app import App
from microservice_operator.settings import Settings

log = logging.getLogger(__name__)


class Endless:
    """Backoffs that never give up; an object, since kopf would use up a generator. None is long:
    kopf sleeps through the return of the API server, and 30 s after that all is to be made up."""

    def __iter__(self) -> Iterator[float]:
        yield from (1, 2, 5)
        while True:
            yield 10


class NoDiffBase(kopf.DiffBaseStorage):
    """kopf's own copies the whole object on every event, also for handlers that need no diff."""

    def build(self, *, body: kopf.Body, extra_fields: Any = None) -> kopf.BodyEssence:
        return kopf.BodyEssence()

    def fetch(self, *, body: kopf.Body) -> kopf.BodyEssence | None:
        return None

    def store(self, *, body: kopf.Body, patch: kopf.Patch, essence: kopf.BodyEssence) -> None:
        return None


class NoProgress(kopf.ProgressStorage):
    """`on.event` has no progress, and nothing of ours is stored on the user's object."""

    def fetch(self, *, key: Any, body: kopf.Body) -> None:
        return None

    def store(self, *, key: Any, record: Any, body: kopf.Body, patch: kopf.Patch) -> None:
        return None

    def purge(self, *, key: Any, body: kopf.Body, patch: kopf.Patch) -> None:
        return None

    def touch(self, *, body: kopf.Body, patch: kopf.Patch, value: str | None) -> None:
        return None

    def clear(self, *, essence: kopf.BodyEssence) -> kopf.BodyEssence:
        return essence


def registry(app: App) -> kopf.OperatorRegistry:
    """Handlers store and enqueue, without an await: kopf logs what they raise and never retries."""
    handlers = kopf.OperatorRegistry()

    @kopf.on.startup(registry=handlers, errors=kopf.ErrorsMode.PERMANENT)
    async def start(**_: Any) -> None:
        app.start()

    @kopf.on.login(registry=handlers)
    async def login(**_: Any) -> kopf.AiohttpSession:
        return kopf.AiohttpSession(
            server=app.transport.connection.server,
            default_namespace=app.settings.pod_namespace,
            aiohttp_session=app.login(),
        )

    @kopf.on.event(GROUP, VERSION, MICROSERVICE.plural, registry=handlers)
    async def notice(event: kopf.RawEvent, **_: Any) -> None:
        app.notice(event["type"], event["object"])

    @kopf.on.probe(registry=handlers, id="stuck", errors=kopf.ErrorsMode.PERMANENT)
    async def probe(**_: Any) -> str:
        if reason := app.stuck():
            raise kopf.PermanentError(reason)
        return "no"

    @kopf.on.cleanup(registry=handlers, errors=kopf.ErrorsMode.PERMANENT)  # else again in 60 s
    async def stop(**_: Any) -> None:
        await app.stop()

    return handlers


def options(namespaces: tuple[str, ...]) -> kopf.OperatorSettings:
    """kopf watches one kind for us and writes nothing; docs/decisions says why."""
    settings = kopf.OperatorSettings()
    settings.persistence.diffbase_storage = NoDiffBase()
    settings.persistence.progress_storage = NoProgress()
    settings.persistence.consistency_timeout = 0
    settings.queueing.idle_timeout = 0.1
    settings.watching.chunk_size = 500
    settings.watching.server_timeout = 290
    settings.networking.error_backoffs = Endless()
    settings.networking.connect_timeout = 10
    settings.networking.request_timeout = 60
    settings.posting.enabled = False
    settings.peering.standalone = True
    # It would list namespaces, which we may not then, and try that for ever before it begins.
    settings.scanning.disabled = bool(namespaces)
    settings.process.ultimate_exiting_timeout = 9.0
    return settings


async def run(app: App, settings: Settings) -> None:
    """Until SIGTERM or SIGINT; raises what made the operator fail.

    kopf starts when our CRD is served. One that is made later it would find too early: it scans
    at once, but the API server serves a new kind seconds after that."""
    try:
        async with app:
            await app.until_served()
            await kopf.operator(
                registry=registry(app),
                settings=options(settings.namespaces),
                clusterwide=not settings.namespaces,
                namespaces=settings.namespaces,
                standalone=True,
                stop_flag=app.ended,
                # Peering is off; by itself kopf would look up a user name, which a bare uid lacks.
                identity=settings.identity,  # type: ignore[arg-type]
                liveness_endpoint=_endpoint(settings),
            )
    except Exception as error:
        # kopf raises what its own tasks met while they were being stopped.
        raise app.failure or error from None
    if app.failure:
        raise app.failure


def _endpoint(settings: Settings) -> str | None:
    return f"http://0.0.0.0:{settings.probe_port}/healthz" if settings.probe_port else None
