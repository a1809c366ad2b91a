"""The shops that are measured, each made anew: six processes with servers, or one with SQLite."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from e2e.cluster.errors import Problem

from shop import seed
from shop.customer import Credentials, visiting
from shop.installation import ADMIN_EMAIL
from shop.load.site import SERVICES
from shop.processes import NAMES, WITH_DATABASE, Processes, broker
from shop.testing import RunningShop
from shopkit import testing

SEPARATE, EMBEDDED = "postgresql-nats", "sqlite"
SERVERS = ("postgresql", "nats")
# One address makes all requests of a load: a limit by address would be all that is measured.
SETTINGS = {"RATE_LIMIT": 1_000_000}
POSTGRES = {"max_connections": "200", "shared_buffers": "128MB"}
IN_MEMORY = ("tmpfs", "ramfs")
PATIENCE = 600.0


@dataclass(frozen=True)
class Stage:
    """A shop that runs. `load` and `audit`: the words with which the commands reach it."""

    name: str
    folder: Path
    load: Sequence[str]
    audit: Sequence[str]
    pids: Mapping[str, int]
    processes: Processes | None = None
    database: str = ""  # of orders, for asyncpg

    def components(self) -> Mapping[str, int]:
        """Name -> the process from which all others of it come."""
        if self.processes is None:
            return self.pids
        return {**self.pids, **{name: self.processes.pid(name) for name in NAMES}}

    @property
    def record(self) -> Path:
        return self.folder / "orders.jsonl"


@contextlib.asynccontextmanager
async def separate(parent: Path) -> AsyncIterator[Stage]:
    """Six processes, PostgreSQL and NATS, all of it written to the disk before it is answered."""
    with _folder(parent) as folder, _folder(parent) as files, contextlib.ExitStack() as stack:
        # A folder of its own: PostgreSQL's user owns it, and may not enter the other.
        database = testing.postgres(files, **POSTGRES)
        nats = broker(testing.nats_binary() or "", folder)
        for server in (database, nats):
            server.start()
            stack.callback(server.stop, signal.SIGQUIT if server is database else signal.SIGINT)
        urls = {name: await testing.make_database(database) for name in WITH_DATABASE}
        processes = Processes(folder, urls, nats.port, SETTINGS)
        stack.callback(processes.close)
        await processes.start_all()
        await asyncio.to_thread(_fill, processes)
        at = [f"--service={name}={processes.url(name)}" for name in SERVICES]
        at.append(f"--admin-password-file={_secret(folder, processes.keys.admin_password)}")
        pids = {"postgresql": database.pid, "nats": nats.pid}
        orders = urls["orders"].replace("+asyncpg", "")
        yield Stage(SEPARATE, folder, at, _audit(processes), pids, processes, orders)


@contextlib.asynccontextmanager
async def embedded(parent: Path) -> AsyncIterator[Stage]:
    """`shop up`: one process, SQLite with synchronous=FULL."""
    with _folder(parent) as folder:
        shop = RunningShop(folder)
        try:
            await asyncio.to_thread(shop.start)
            data = f"--data={folder / 'data'}"
            load = [f"--url={shop.url}", data]
            audit = [*load, f"--admin-url={shop.admin_url}/{{service}}", f"--scan={folder}"]
            yield Stage(EMBEDDED, folder, load, audit, {"shop": shop.pid})
        finally:
            shop.close()


async def audited(stage: Stage) -> str:
    """`clean`, or what `shop audit` said."""
    words = ["audit", *stage.audit, "--settle=60", f"--record={stage.record}"]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-E", "-m", "shop", *words),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said = (await asyncio.wait_for(process.communicate(), PATIENCE))[0].decode()
    return "clean" if process.returncode == 0 else said.strip()


def filesystem(folder: Path) -> str:
    """Its type; raises Problem for one in memory, on which nothing is durable."""
    mounts = [line.split()[1:3] for line in Path("/proc/self/mounts").read_text().splitlines()]
    above = [(Path(place), kind) for place, kind in mounts if folder.is_relative_to(place)]
    kind = max(above, key=lambda mount: len(mount[0].parts))[1]
    if kind in IN_MEMORY:
        raise Problem(
            f"{folder} is in memory ({kind})", remedy="name a folder on a disk with --data"
        )
    return kind


def check() -> None:
    """Raises Problem when a server is not installed."""
    if testing.postgres_binaries() is None or testing.nats_binary() is None:
        raise Problem("PostgreSQL or nats-server is missing", remedy="make servers install")


@contextlib.contextmanager
def _folder(parent: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(
        prefix="shop-bench-", dir=parent, ignore_cleanup_errors=True
    ) as name:
        yield Path(name)


def _secret(folder: Path, password: str) -> Path:
    path = folder / "admin-password"
    path.touch(0o600)
    path.write_text(password)
    return path


def _audit(processes: Processes) -> Sequence[str]:
    ports = [f"--admin={name}={processes.admin_url(name)}" for name in WITH_DATABASE]
    secret = processes.folder / "admin-password"
    sign_in = (f"--url={processes.url('auth')}", f"--admin-password-file={secret}")
    return [*sign_in, *ports, f"--scan={processes.folder / 'logs'}"]


def _fill(processes: Processes) -> None:
    admin = Credentials(ADMIN_EMAIL, processes.keys.admin_password)
    with visiting(processes.url("auth")) as auth, visiting(processes.url("catalog")) as catalog:
        auth.sign_in(admin)
        catalog.carry(auth.token)
        seed.fill(catalog, lambda _: None)
