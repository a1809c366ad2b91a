"""Migrations: alembic's revisions and nothing else of it; no ini file, no env.py."""

import asyncio
import importlib.util
import zlib
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import sqlalchemy as sa
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory

from shopkit.db import Database, Tx

# `alembic.op` is one global of the process: two migrations at once would write into each other.
_one_at_a_time: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()


def folder_of(package: str) -> Path:
    """The package's migrations, also where it is installed as a wheel."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise LookupError(f"there is no package {package}")
    return Path(spec.origin).parent / "migrations"


async def upgrade(database: Database, package: str) -> int:
    """To the newest revision in one transaction; many may call it at once. Returns the revision."""
    turn = _one_at_a_time.setdefault(asyncio.get_running_loop(), asyncio.Lock())
    async with turn, database.transaction("migrate") as tx:
        if tx.dialect == "postgresql":
            await _lock(tx)
        await tx.connection.run_sync(_upgrade, folder_of(package))
    return await database.revision()


async def _lock(tx: Tx) -> None:
    """One migration of this service at a time, however many pods start together."""
    await tx.execute("SET LOCAL lock_timeout = 0")
    await tx.execute("SELECT pg_advisory_xact_lock(:key)", {"key": zlib.crc32(b"shopkit.migrate")})
    # Behind a long transaction a waiting ALTER would hold up everybody after it.
    await tx.execute("SET LOCAL lock_timeout = '5s'")


def _upgrade(connection: sa.Connection, folder: Path) -> None:
    script = ScriptDirectory(str(folder), version_locations=[str(folder)])

    def revisions(current: Any, _: Any) -> Any:
        return script._upgrade_revs("head", current)

    with EnvironmentContext(Config(), script, fn=revisions) as environment:
        environment.configure(connection=connection)
        environment.run_migrations()
