"""What the operator tells Prometheus, and the port on which it does."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

from aiohttp import web
from aiohttp.typedefs import Handler
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.process_collector import ProcessCollector

PASS_BUCKETS = (0.001, 0.005, 0.02, 0.1, 0.5, 2, 10, 60)


class Metrics:
    """All collectors of one operator; a registry of its own lets tests run several in a process."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self.requests = Counter(
            "microservice_operator_api_requests",
            "Requests to the API server by verb, resource, reason and status code (0: no answer)",
            ["verb", "resource", "reason", "code"],
            registry=registry,
        )
        self.passes = Counter(
            "microservice_operator_passes",
            "Reconciliation passes by result: done, retry, failed",
            ["result"],
            registry=registry,
        )
        self.pass_seconds = Histogram(
            "microservice_operator_pass_seconds",
            "Duration of a pass, requests included",
            buckets=PASS_BUCKETS,
            registry=registry,
        )
        self.queued = Gauge(
            "microservice_operator_queue_keys", "Keys waiting for a worker", registry=registry
        )
        self.oldest = Gauge(
            "microservice_operator_queue_oldest_seconds",
            "Age of the oldest key waiting for a worker",
            registry=registry,
        )
        self.leader = Gauge(
            "microservice_operator_leader", "1 while this process may write", registry=registry
        )
        self.heard = Gauge(
            "microservice_operator_watch_silence_seconds",
            "Seconds since the last list, event or bookmark of a watch",
            ["resource"],
            registry=registry,
        )
        self.events_seen = Counter(
            "microservice_operator_watch_events",
            "Child events by resource and whether they changed what is remembered",
            ["resource", "changed"],
            registry=registry,
        )
        self.forbidden = Gauge(
            "microservice_operator_forbidden",
            "1 for each kind on which the operator lacks a right, by namespace if it works in some",
            ["kind", "service_namespace"],
            registry=registry,
        )
        self.refused_status = Counter(
            "microservice_operator_status_refused",
            "Status writes the API server called invalid",
            registry=registry,
        )
        self.loop_lag = Gauge(
            "microservice_operator_loop_lag_seconds",
            "How late the event loop woke up at the last look",
            registry=registry,
        )

    def text(self) -> str:
        return generate_latest(self.registry).decode()


@asynccontextmanager
async def served(
    port: int, pages: Mapping[str, Callable[[], tuple[int, str]]]
) -> AsyncIterator[None]:
    """Answer GET of each path with what its function returns, (status, text), while in here."""

    def answering(page: Callable[[], tuple[int, str]]) -> Handler:
        async def answer(_: web.Request) -> web.StreamResponse:
            status, text = page()
            return web.Response(status=status, text=text)

        return answer

    application = web.Application()
    application.add_routes([web.get(path, answering(page)) for path, page in pages.items()])
    runner = web.AppRunner(application, handle_signals=False, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    try:
        await web.TCPSite(runner, None, port).start()
        yield
    finally:
        await runner.cleanup()
