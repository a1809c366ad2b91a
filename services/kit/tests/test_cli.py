"""What a person at the command line sees."""

import asyncio
import socket
from pathlib import Path

import pytest
from services.kit.tests.conftest import Embedded
from services.kit.tests.toy import buyer

from shopkit import cli, server
from shopkit.app import Service
from shopkit.settings import Settings


def test_help_names_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.run(Settings, buyer.create_app, "toy", ["--help"])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    assert "serve" in text
    assert "migrate" in text
    assert "DATABASE_URL" in text


def test_wrong_settings_are_said_plainly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PORT", "many")
    with pytest.raises(SystemExit, match="HTTP_PORT: Input should be a valid integer"):
        cli.run(Settings, buyer.create_app, "toy", ["serve"])


async def test_a_taken_port_is_said_plainly(embedded: Embedded) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        settings = (await embedded.settings("buyer")).model_copy(
            update={"http_host": "127.0.0.1", "http_port": port}
        )
        plain = rf"port {port} cannot be opened \(Address already in use\); set HTTP_PORT"
        with pytest.raises(SystemExit, match=plain):
            await server.run((buyer.create_app(settings),))


def test_migrate_prints_the_revision(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    service = buyer.create_app(Settings(data_dir=tmp_path))
    asyncio.run(cli._migrate(service))
    # The test session shows warnings only, so the database is asked.
    assert capsys.readouterr().out == ""

    async def revision() -> int:
        await service.db.open()
        try:
            return await service.db.revision()
        finally:
            await service.db.close()

    assert asyncio.run(revision()) == 2


def test_a_service_without_a_database_has_nothing_to_migrate(tmp_path: Path) -> None:
    service = Service("toy", Settings(data_dir=tmp_path), version="1")
    with pytest.raises(SystemExit, match="toy has no database to migrate"):
        asyncio.run(cli._migrate(service))
