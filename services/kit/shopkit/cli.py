"""The command line that every service has."""

import argparse
import asyncio
import sys
from collections.abc import Callable, Sequence
from typing import Any

from pydantic import ValidationError

from shopkit import logs, server
from shopkit.app import Service
from shopkit.db import DatabaseAway
from shopkit.settings import Settings

PATIENCE = 60.0

_EPILOG = """settings come from the environment, for instance DATABASE_URL, NATS_URL, HTTP_PORT,
ADMIN_PORT, LOG_LEVEL; a secret may also be a file: DATABASE_URL_FILE=/path. Without
DATABASE_URL the database is a SQLite file in DATA_DIR."""


def run(
    settings: type[Any],
    create_app: Callable[[Any], Service],
    package: str,
    arguments: Sequence[str] | None = None,
) -> None:
    command = _parser(package).parse_args(arguments).command
    loaded = _load(settings)
    logs.configure(loaded.log_level)
    if command == "serve":
        server.serve((create_app(loaded),))
    else:
        asyncio.run(_migrate(create_app(loaded)))


def _parser(name: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=name, epilog=_EPILOG)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("serve", help="answer requests and messages until SIGTERM")
    commands.add_parser("migrate", help="bring the database to this version's schema and end")
    return parser


def _load(settings: type[Any]) -> Settings:
    try:
        loaded = settings()
    except ValidationError as error:
        lines = [f"{'.'.join(map(str, e['loc'])).upper()}: {e['msg']}" for e in error.errors()]
        raise SystemExit("\n".join(["The settings are not valid:", *lines])) from error
    assert isinstance(loaded, Settings)
    return loaded


async def _migrate(service: Service) -> None:
    """The database may start after us: a minute of patience."""
    if not service.schema:
        raise SystemExit(f"{service.name} has no database to migrate")
    await service.db.open()
    try:
        service.log.info("migrated", revision=await _patiently(service))
    finally:
        await service.db.close()


async def _patiently(service: Service) -> int:
    waited = 0.0
    while True:
        try:
            return await service.migrate()
        except DatabaseAway as error:
            if waited >= PATIENCE:
                sys.exit(f"the database did not answer for {PATIENCE:.0f} s: {error}")
            service.log.warning("waiting", reason=f"the database does not answer ({error})")
        await asyncio.sleep(1)
        waited += 1
