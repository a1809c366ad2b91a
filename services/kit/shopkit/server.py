"""The process: two listeners, signals, and the order in which everything ends."""

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Generator, Sequence
from types import FrameType
from typing import Any

import structlog
import uvicorn
import uvloop
from starlette.types import ASGIApp

from shopkit.app import Service
from shopkit.compose import ByPath, Under
from shopkit.settings import Settings

# Longer than gateways keep idle connections (Traefik: 90 s). If the server closed first, a request
# that is already under way on such a connection would fail.
KEEP_ALIVE = 120


class _Server(uvicorn.Server):
    """Leaves signals to the process, which has two servers and work besides."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self.should_exit = True


def serve(services: Sequence[Service]) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run(services))


async def run(services: Sequence[Service]) -> None:
    """Ends when the process may end; a second signal changes nothing."""
    settings, log = services[0].settings, structlog.get_logger()
    signalled = _signals()
    public, admin = _apps(services)
    listeners = [_listen(settings, "http_port"), _listen(settings, "admin_port")]
    servers = [_server(public, settings), _server(admin, settings)]
    for service in services:
        await service.start()
    running = [
        asyncio.create_task(server.serve(sockets=[listener]))
        for server, listener in zip(servers, listeners, strict=True)
    ]
    ports = [listener.getsockname()[1] for listener in listeners]
    log.info("listening", port=ports[0], admin_port=ports[1])
    ends: list[asyncio.Future[Any]] = [signalled, *running]
    await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    name = signal.Signals(signalled.result()).name if signalled.done() else "none"
    log.info("draining", signal=name)
    # Nobody routes to a process in a terminal: there Ctrl-C need not wait.
    grace = settings.drain_grace if name == "SIGTERM" else 0
    await _end(services, servers, running, grace)
    log.info("stopped")


async def _end(
    services: Sequence[Service],
    servers: Sequence[_Server],
    running: Sequence[asyncio.Task[None]],
    grace: float,
) -> None:
    """The order is the point: unready, no new work, running work, last messages, metrics last."""
    for service in services:
        service.drain.begin()
    await asyncio.sleep(grace)
    servers[0].handle_exit(signal.SIGTERM, None)
    await asyncio.gather(running[0], *(service.quiesce() for service in services))
    await asyncio.gather(*(service.finish() for service in services))
    servers[1].handle_exit(signal.SIGTERM, None)
    await running[1]


def _signals() -> asyncio.Future[int]:
    loop = asyncio.get_running_loop()
    first: asyncio.Future[int] = loop.create_future()

    def heard(number: int) -> None:
        if not first.done():
            first.set_result(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, heard, number)
    return first


def _apps(services: Sequence[Service]) -> tuple[ASGIApp, ASGIApp]:
    if len(services) == 1:
        return services[0].app, services[0].admin
    return ByPath(services), Under({service.name: service.admin for service in services})


def _listen(settings: Settings, name: str) -> socket.socket:
    """Raises SystemExit with what to do when the port is taken."""
    port: int = getattr(settings, name)
    try:
        return socket.create_server((settings.http_host, port), backlog=2048)
    except OSError as error:
        reason = os.strerror(error.errno or 0)
        message = f"port {port} cannot be opened ({reason}); set {name.upper()}"
        raise SystemExit(message) from error


def _server(app: ASGIApp, settings: Settings) -> _Server:
    config = uvicorn.Config(
        app,
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        forwarded_allow_ips=settings.trusted_proxies,
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=max(1, int(settings.drain_timeout)),
    )
    return _Server(config)
