"""Connections: the two ways to reach a database, behind one shape."""

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

import orjson
import sqlalchemy as sa
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from shopkit.errors import Unavailable
from shopkit.settings import Settings
from shopkit.uncancelled import to_its_end

POOL_SIZE = 4
CONNECT_TIMEOUT = 5.0


class Busy(Unavailable):
    """The queue of SQLite's one writer was longer than `lock_timeout`."""


class Engines(Protocol):
    """Where connections come from."""

    async def open(self) -> None: ...
    async def close(self) -> None: ...
    def write(self) -> AbstractAsyncContextManager[AsyncConnection]: ...
    def read(self) -> AbstractAsyncContextManager[AsyncConnection]: ...


def engines(service: str, url: str, settings: Settings) -> Engines:
    if url.startswith("sqlite"):
        return SqliteEngines(url, settings.sqlite_synchronous, settings.lock_timeout)
    return PostgresEngines(service, url, settings.lock_timeout)


def _dumps(value: Any) -> str:
    return orjson.dumps(value).decode()


class PostgresEngines:
    """One small pool a pod; READ COMMITTED, which is the server's default."""

    def __init__(self, service: str, url: str, lock_timeout: float) -> None:
        options = {
            "application_name": service,
            "lock_timeout": str(int(lock_timeout * 1000)),
            # A pod that froze inside a transaction must not keep its row locks for ever.
            "idle_in_transaction_session_timeout": "15000",
        }
        self._engine = create_async_engine(
            url,
            pool_size=POOL_SIZE,
            max_overflow=0,
            pool_timeout=CONNECT_TIMEOUT,
            connect_args={"server_settings": options, "timeout": CONNECT_TIMEOUT},
            json_serializer=_dumps,
            json_deserializer=orjson.loads,
        )
        self._reader = self._engine.execution_options(isolation_level="AUTOCOMMIT")

    async def open(self) -> None:
        return None

    async def close(self) -> None:
        await self._engine.dispose()

    def write(self) -> AbstractAsyncContextManager[AsyncConnection]:
        return self._engine.connect()

    def read(self) -> AbstractAsyncContextManager[AsyncConnection]:
        return self._reader.connect()


class SqliteEngines:
    """One writer with a queue, and readers beside it (WAL). The file belongs to one process."""

    def __init__(self, url: str, synchronous: str, lock_timeout: float) -> None:
        self._path = Path(sa.make_url(url).database or "")
        self._lock_timeout = lock_timeout
        self._turn = asyncio.Lock()
        self._lock_file: int | None = None
        self._writer = _sqlite_engine(url, 1, "BEGIN IMMEDIATE", synchronous)
        self._reader = _sqlite_engine(url, POOL_SIZE, "BEGIN", synchronous)

    async def open(self) -> None:
        if self._lock_file is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._lock_file = _locked(Path(f"{self._path}.lock"))

    async def close(self) -> None:
        await self._writer.dispose()
        await self._reader.dispose()
        if self._lock_file is not None:
            os.close(self._lock_file)
            self._lock_file = None

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        async with self._queued(), _connected(self._writer) as connection:
            yield connection

    @asynccontextmanager
    async def _queued(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._lock_timeout):
                await self._turn.acquire()
        except TimeoutError as error:
            raise Busy(f"waited longer than {self._lock_timeout} s for the writer") from error
        try:
            yield
        finally:
            self._turn.release()

    def read(self) -> AbstractAsyncContextManager[AsyncConnection]:
        return _connected(self._reader)


@asynccontextmanager
async def _connected(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A cancelled connect would leave its thread behind, and the file locked."""
    connection = engine.connect()
    try:
        await to_its_end(connection.start())
        yield connection
    finally:
        with suppress(InvalidRequestError):  # never started
            await to_its_end(connection.close())


def _locked(path: Path) -> int:
    """Raises SystemExit: a second writer process would only see "database is locked" at random."""
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(file)
        database = str(path).removesuffix(".lock")
        message = f"{database} is in use by another process. Stop that one, or set DATA_DIR."
        raise SystemExit(message) from error
    return file


def _sqlite_engine(url: str, size: int, begin: str, synchronous: str) -> AsyncEngine:
    engine = create_async_engine(
        url,
        pool_size=size,
        max_overflow=0,
        pool_timeout=CONNECT_TIMEOUT,
        json_serializer=_dumps,
        json_deserializer=orjson.loads,
    )

    @sa.event.listens_for(engine.sync_engine, "connect")
    def configure(connection: Any, _: ConnectionPoolEntry) -> None:
        # The driver's own BEGIN comes too late (at the first write) and is always DEFERRED.
        connection.isolation_level = None
        cursor = connection.cursor()
        for setting in (
            "journal_mode=WAL",
            f"synchronous={synchronous}",
            "foreign_keys=ON",
            "busy_timeout=5000",
        ):
            cursor.execute(f"PRAGMA {setting}")
        cursor.close()

    @sa.event.listens_for(engine.sync_engine, "begin")
    def start(connection: sa.Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine
