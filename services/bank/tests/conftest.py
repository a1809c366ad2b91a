from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from bank.app import create_app
from bank.settings import BankSettings
from shopkit.app import Service
from shopkit.world import World

SECRET = "sk_test_bank"


@pytest.fixture
def bank_settings(tmp_path: Path) -> BankSettings:
    return BankSettings(
        data_dir=tmp_path,
        bank_secret=SECRET,
        webhook_secret="whsec",
        sqlite_synchronous="NORMAL",
        lock_timeout=30,
        slow_seconds=0.05,
        hang_seconds=3600,
        webhook_spread=0,
    )


@pytest.fixture
async def bank(bank_settings: BankSettings) -> AsyncIterator[Service]:
    service = create_app(bank_settings, World())
    await service.start()
    await service.settled()
    yield service
    await service.stop()


@pytest.fixture
async def http(bank: Service) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"Authorization": f"Bearer {SECRET}"}
    transport = httpx.ASGITransport(bank.app)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://bank", headers=headers
    ) as client:
        yield client
