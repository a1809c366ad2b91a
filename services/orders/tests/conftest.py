from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from orders.app import create_app
from orders.settings import OrdersSettings
from shopkit.app import Service
from shopkit.auth import Signer, new_keys
from shopkit.clock import SystemClock
from shopkit.ids import SystemIds
from shopkit.testing import client_of, running, settings_for, token
from shopkit.world import World

ANNA = "00000000-0000-7000-8000-00000000000a"
BERT = "00000000-0000-7000-8000-00000000000b"
CARD = "00000000-0000-7000-8000-0000000000ca"

Quote = Callable[..., str]


@pytest.fixture(scope="session")
def quote_signer() -> Signer:
    return Signer.from_json(new_keys())


@pytest.fixture
def quote(quote_signer: Signer) -> Quote:
    """A quote as catalog signs it; keyword arguments replace claims."""
    clock = SystemClock()
    ids = SystemIds(clock)

    def sign(*lines: tuple[str, int, int], **claims: Any) -> str:
        now = int(clock.now().timestamp())
        quoted = [
            {"sku": sku, "title": sku.title(), "quantity": quantity, "unit_price": price}
            for sku, quantity, price in lines or [("tea", 2, 450)]
        ]
        total = sum(line["quantity"] * line["unit_price"] for line in quoted)
        standard = {
            "iss": "catalog",
            "aud": "orders",
            "jti": ids.uuid7(),
            "iat": now,
            "exp": now + 600,
            "lines": quoted,
            "total": total,
            "currency": "EUR",
        }
        return quote_signer.sign(standard | claims)

    return sign


@pytest.fixture
def orders_settings(tmp_path: Path, keys: Signer, quote_signer: Signer) -> OrdersSettings:
    return settings_for(
        OrdersSettings,
        tmp_path,
        keys,
        quote_jwks=quote_signer.jwks_json(),
        sqlite_synchronous="NORMAL",
        events_poll=0.05,
    )


@pytest.fixture
async def orders(orders_settings: OrdersSettings) -> AsyncIterator[Service]:
    service = create_app(orders_settings, World())
    async with running(service):
        yield service


@pytest.fixture
async def anna(orders: Service, keys: Signer) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(orders, authorization=f"Bearer {token(keys, ANNA)}") as client:
        yield client


@pytest.fixture
async def bert(orders: Service, keys: Signer) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(orders, authorization=f"Bearer {token(keys, BERT)}") as client:
        yield client
