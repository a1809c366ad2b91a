"""Two replicas of auth on one PostgreSQL, as in a cluster."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from auth.app import create_app
from auth.settings import AuthSettings
from auth.tables import users
from shopkit.app import Service
from shopkit.auth import new_keys
from shopkit.testing import running, settings_for

PASSWORD = "correct horse battery"
KIM = "kim@example.com"
ADMIN, ADMIN_PASSWORD = "admin@shop.example", "the first admin"


@pytest.fixture
async def replicas(tmp_path: Path, postgres_url: str) -> AsyncIterator[tuple[Service, Service]]:
    values = {
        "database_url": SecretStr(postgres_url),
        "token_keys": SecretStr(new_keys()),
        "admin_email": ADMIN,
        "admin_password": SecretStr(ADMIN_PASSWORD),
        "lock_timeout": 30,
    }
    settings = settings_for(AuthSettings, tmp_path, **values)
    first, second = create_app(settings), create_app(settings)
    await first.db.open()
    await first.migrate()
    async with running(first, second):
        yield first, second


@pytest.fixture
async def clients(
    replicas: tuple[Service, Service],
) -> AsyncIterator[tuple[httpx.AsyncClient, httpx.AsyncClient]]:
    one, two = (httpx.ASGITransport(replica.app) for replica in replicas)
    url = "http://shop.test/api/v1"
    async with (
        httpx.AsyncClient(transport=one, base_url=url) as first,
        httpx.AsyncClient(transport=two, base_url=url) as second,
    ):
        yield first, second


Clients = tuple[httpx.AsyncClient, httpx.AsyncClient]


async def register(http: httpx.AsyncClient, key: str) -> httpx.Response:
    body = {"email": KIM, "password": PASSWORD, "name": "Kim"}
    return await http.post("/users", json=body, headers={"Idempotency-Key": key})


async def log_in(
    http: httpx.AsyncClient, password: str = PASSWORD, email: str = KIM
) -> httpx.Response:
    return await http.post("/tokens", json={"email": email, "password": password})


async def test_one_address_registered_at_both_at_once_is_one_user(
    replicas: tuple[Service, Service], clients: Clients
) -> None:
    answers = await asyncio.gather(*(register(http, f"k{n}") for n, http in enumerate(clients)))
    assert [answer.status_code for answer in answers] == [202, 202]
    async with replicas[0].db.read() as tx:
        count = sa.select(sa.func.count()).where(users.c.email == KIM)
        assert await tx.scalar(count) == 1
    assert (await log_in(clients[1])).status_code == 200


async def test_a_session_goes_on_at_the_other_replica(clients: Clients) -> None:
    first, second = clients
    await register(first, "k")
    await log_in(first)
    second.cookies.update(first.cookies)
    assert (await second.post("/tokens/refresh")).status_code == 200
    assert second.cookies["refresh_token"] != first.cookies["refresh_token"]


async def test_one_cookie_used_at_both_at_once_serves_both_tabs(clients: Clients) -> None:
    first, second = clients
    await register(first, "k")
    await log_in(first)
    second.cookies.update(first.cookies)
    answers = await asyncio.gather(*(http.post("/tokens/refresh") for http in clients))
    assert [answer.status_code for answer in answers] == [200, 200]


async def test_wrong_passwords_count_for_all_replicas_together(clients: Clients) -> None:
    first, second = clients
    await register(first, "k")
    guesses = [await log_in(clients[n % 2], "wrong") for n in range(5)]
    assert [answer.status_code for answer in guesses] == [401] * 5
    assert [(await log_in(http)).status_code for http in (first, second)] == [429, 429]


async def test_both_replicas_start_with_one_first_admin(
    replicas: tuple[Service, Service], clients: Clients
) -> None:
    answers = await asyncio.gather(*(log_in(http, ADMIN_PASSWORD, ADMIN) for http in clients))
    assert [answer.status_code for answer in answers] == [200, 200]
    async with replicas[0].db.read() as tx:
        assert await tx.scalar(sa.select(sa.func.count()).select_from(users)) == 1
