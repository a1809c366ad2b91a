"""The database: one transaction type over PostgreSQL and SQLite, one code above."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import (
    AbstractAsyncContextManager,
    asynccontextmanager,
    contextmanager,
    suppress,
)
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Literal, cast

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection

from shopkit.clock import Clock
from shopkit.columns import Id, Json, Timestamp
from shopkit.engines import Busy, Engines, engines
from shopkit.errors import Unavailable
from shopkit.faults import CrashPoints
from shopkit.ids import Ids
from shopkit.settings import Settings
from shopkit.uncancelled import to_its_end

__all__ = ["Busy", "Database", "DatabaseAway", "Id", "Json", "LockTimeout", "Timestamp", "Tx"]

_Connect = Callable[[], AbstractAsyncContextManager[AsyncConnection]]
DialectName = Literal["sqlite", "postgresql"]
Statement = sa.Executable | str
Parameters = Mapping[str, Any] | Sequence[Mapping[str, Any]] | None

_CLOSE_PATIENCE = 5.0
_LOCK_NOT_AVAILABLE, _DEADLOCK = "55P03", "40P01"


_open: ContextVar[str] = ContextVar("open_transaction", default="")


def open_transaction() -> str:
    """The step whose transaction this task has open, or "": nobody is called meanwhile (rule i)."""
    return _open.get()


class DatabaseAway(Unavailable):
    """No connection, or it broke: nothing was committed, or it is unknown."""


class LockTimeout(Unavailable):
    """Another transaction held the row longer than `lock_timeout`."""


@dataclass(slots=True)
class Tx:
    """One open transaction."""

    connection: AsyncConnection
    service: str
    clock: Clock
    ids: Ids
    dialect: DialectName
    wake_outbox: Callable[[], None]
    _after_commit: list[Callable[[], None]] = field(default_factory=list)

    async def execute(
        self, statement: Statement, parameters: Parameters = None
    ) -> sa.CursorResult[Any]:
        clause = sa.text(statement) if isinstance(statement, str) else statement
        with _translated():
            return cast(
                sa.CursorResult[Any], await self.connection.execute(clause, parameters or None)
            )

    async def one(self, statement: Statement, parameters: Parameters = None) -> sa.Row[Any] | None:
        return (await self.execute(statement, parameters)).first()

    async def all(
        self, statement: Statement, parameters: Parameters = None
    ) -> Sequence[sa.Row[Any]]:
        return (await self.execute(statement, parameters)).all()

    async def scalar(self, statement: Statement, parameters: Parameters = None) -> Any:
        return (await self.execute(statement, parameters)).scalar()

    async def insert_new(self, table: sa.Table, values: Mapping[str, Any]) -> bool:
        """False when a row with one of the table's keys exists."""
        statement = _insert_new(table, self.dialect)
        if any(isinstance(value, sa.ClauseElement) for value in values.values()):
            return (await self.execute(statement.values(values))).rowcount == 1
        return (await self.execute(statement, values)).rowcount == 1

    def time(self, plus: float = 0) -> sa.ColumnElement[datetime]:
        """The database's now, so that replicas with different clocks agree on leases."""
        if self.dialect == "sqlite":
            return sa.literal(self.clock.now() + timedelta(seconds=plus), Timestamp)
        return _statement_time(plus)

    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        async with self.connection.begin_nested():
            yield

    def after_commit(self, call: Callable[[], None]) -> None:
        self._after_commit.append(call)


@contextmanager
def _marked(step: str) -> Iterator[None]:
    before = _open.set(step)
    try:
        yield
    finally:
        _open.reset(before)


# Both are built for every message: made once, they cost a checkout some milliseconds less.
@lru_cache(maxsize=64)
def _insert_new(table: sa.Table, dialect: DialectName) -> postgresql.Insert | sqlite.Insert:
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    return insert(table).on_conflict_do_nothing()


@lru_cache(maxsize=64)
def _statement_time(plus: float) -> sa.ColumnElement[datetime]:
    # Stable within the statement, so that an index on the compared column can be used.
    now = sa.func.statement_timestamp(type_=sa.DateTime(timezone=True))
    return sa.type_coerce(now + sa.literal(timedelta(seconds=plus), sa.Interval()), Timestamp)


class _translated:
    """Driver errors that only mean "not now" become ours."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, _: type | None, error: BaseException | None, __: object) -> None:
        if isinstance(error, PoolTimeout | OSError | TimeoutError):
            raise DatabaseAway(type(error).__name__) from error
        if isinstance(error, DBAPIError):
            _raise_ours(error)


def _raise_ours(error: DBAPIError) -> None:
    code = getattr(error.orig, "sqlstate", None) or ""
    if code in (_LOCK_NOT_AVAILABLE, _DEADLOCK):
        raise LockTimeout(code) from error
    # Classes 08 connection, 53 resources, 57 operator intervention (shutting down, starting up).
    if error.connection_invalidated or code[:2] in ("08", "53", "57"):
        raise DatabaseAway(code or type(error.orig).__name__) from error


class Database:
    """One service's own database. Opens lazily; `open` takes the file lock of SQLite."""

    def __init__(
        self, service: str, settings: Settings, clock: Clock, ids: Ids, points: CrashPoints
    ) -> None:
        self.service, self.url = service, settings.url_of(service)
        self._clock, self._ids, self._points = clock, ids, points
        self.dialect: DialectName = "sqlite" if self.url.startswith("sqlite") else "postgresql"
        self._engines: Engines = engines(service, self.url, settings)
        self.wake_outbox: Callable[[], None] = lambda: None
        self._closed = False
        self._out = 0
        self._idle = asyncio.Event()
        self._idle.set()

    async def open(self) -> None:
        self._closed = False
        await self._engines.open()

    async def close(self) -> None:
        """Waits for open transactions: a connection that comes back later would never be closed."""
        self._closed = True
        with suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_PATIENCE):
                await self._idle.wait()
        await self._engines.close()

    @asynccontextmanager
    async def transaction(self, step: str) -> AsyncIterator[Tx]:
        """Committed when the block ends, rolled back when it raises."""
        async with self._connected(self._engines.write) as connection:
            tx = self._tx(connection)
            async with connection.begin() as transaction:
                with _marked(step):
                    yield tx
                self._points.point(self.service, step, "before", "commit")
                with _translated():
                    await transaction.commit()
        self._points.point(self.service, step, "after", "commit")
        for call in tx._after_commit:
            call()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Tx]:
        """For queries alone: takes no place in SQLite's writer queue."""
        async with self._connected(self._engines.read) as connection:
            yield self._tx(connection)

    def _tx(self, connection: AsyncConnection) -> Tx:
        clock, ids = self._clock, self._ids
        return Tx(connection, self.service, clock, ids, self.dialect, self.wake_outbox)

    @asynccontextmanager
    async def _connected(self, connect: _Connect) -> AsyncIterator[AsyncConnection]:
        if self._closed:
            raise DatabaseAway("closed")
        opened = connect()
        self._out += 1
        self._idle.clear()
        try:
            connection = await _entered(opened)
            try:
                yield connection
            finally:
                with _translated():
                    await to_its_end(opened.__aexit__(None, None, None))
        finally:
            self._out -= 1
            if not self._out:
                self._idle.set()

    async def ping(self) -> None:
        """Raises Unavailable when the database does not answer."""
        async with self.read() as tx:
            await tx.execute("SELECT 1")

    async def revision(self) -> int:
        """Of the schema; 0 when no migration ran. Raises Unavailable."""
        async with self.read() as tx:
            return await tx.connection.run_sync(_revision)


async def _entered(opened: AbstractAsyncContextManager[AsyncConnection]) -> AsyncConnection:
    """Whatever keeps us from connecting may pass: a server that starts, a role not made yet."""
    try:
        return await opened.__aenter__()
    except Unavailable:
        raise
    except Exception as error:
        raise DatabaseAway(f"{type(error).__name__}: {error}") from error


def _revision(connection: sa.Connection) -> int:
    try:
        with _translated():
            found = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
    except DBAPIError as error:
        if _no_such_table(error):
            return 0
        raise
    return int(found or 0)


def _no_such_table(error: DBAPIError) -> bool:
    code = getattr(error.orig, "sqlstate", None)
    return code == "42P01" or "no such table" in str(error.orig)
