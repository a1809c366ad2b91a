"""The same tests on the embedded default and on the real thing."""

from dataclasses import dataclass
from pathlib import Path

import pytest
from pydantic import SecretStr

from shopkit.auth import Signer
from shopkit.settings import Settings
from shopkit.testing import IDEMPOTENCY_KEY, NewDatabase, ServerProcess

FASTER = 20


@dataclass
class Embedded:
    """SQLite and messages in memory."""

    folder: Path
    signer: Signer
    name: str = "embedded"

    async def settings(self, service: str) -> Settings:
        quick = Settings(
            data_dir=self.folder,
            sqlite_synchronous="NORMAL",
            token_jwks=SecretStr(self.signer.jwks_json()),
            idempotency_key=SecretStr(IDEMPOTENCY_KEY),
        ).faster(FASTER)
        # What polls has a waker besides; polling all the time only heats the machine.
        return quick.model_copy(update={"relay_poll": 0.1, "saga_poll": 0.06})


@dataclass
class Real:
    """PostgreSQL and NATS JetStream."""

    new_database: NewDatabase
    nats: ServerProcess
    embedded: Embedded
    name: str = "real"

    async def settings(self, service: str) -> Settings:
        base = await self.embedded.settings(service)
        urls = {
            "database_url": SecretStr(await self.new_database()),
            "nats_url": SecretStr(f"nats://127.0.0.1:{self.nats.port}"),
        }
        # The broker counts `ack_wait` in its own time: not shorter than a busy machine needs.
        return base.model_copy(update={**urls, "ack_wait": 1.0})


@pytest.fixture
def embedded(tmp_path: Path, keys: Signer) -> Embedded:
    return Embedded(tmp_path, keys)


@pytest.fixture
def real(embedded: Embedded, request: pytest.FixtureRequest) -> Real:
    request.getfixturevalue("nats_url")
    new_database = request.getfixturevalue("new_postgres")
    return Real(new_database, request.getfixturevalue("nats_server"), embedded)


@pytest.fixture(params=["embedded", "real"])
def backend(request: pytest.FixtureRequest) -> Embedded | Real:
    found: Embedded | Real = request.getfixturevalue(request.param)
    return found
