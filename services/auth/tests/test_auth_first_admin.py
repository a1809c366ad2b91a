"""The first admin, from the mounted secret."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from auth.app import create_app
from auth.settings import AuthSettings
from shopkit.auth import Signer, new_keys
from shopkit.testing import client_of, running, settings_for

ADMIN, SECRET = "admin@shop.example", "the first admin"
KEYS = new_keys()


@asynccontextmanager
async def auth(folder: Path, *, password: str | None = SECRET) -> AsyncIterator[httpx.AsyncClient]:
    """One life of the process; without a password the secret is not mounted."""
    secret = {"admin_email": ADMIN, "admin_password": SecretStr(password)} if password else {}
    signer = Signer.from_json(KEYS)
    made = settings_for(AuthSettings, folder, signer, token_keys=SecretStr(KEYS), **secret)
    service = create_app(made)
    async with running(service), client_of(service) as http:
        yield http


async def scopes(http: httpx.AsyncClient, password: str) -> list[str]:
    """Of the user with the admin's address; none when the password is wrong."""
    body = {"email": ADMIN, "password": password}
    answer = await http.post("/api/v1/tokens", json=body)
    if answer.status_code == 401:
        return []
    headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}
    found: list[str] = (await http.get("/api/v1/users/me", headers=headers)).json()["scopes"]
    return found


async def test_the_first_admin_comes_from_the_mounted_secret(tmp_path: Path) -> None:
    async with auth(tmp_path) as http:
        assert await scopes(http, SECRET) == ["customer", "admin", "ops"]


async def test_without_the_secret_there_is_no_admin(tmp_path: Path) -> None:
    async with auth(tmp_path, password=None) as http:
        assert await scopes(http, SECRET) == []


async def test_whoever_took_the_admins_address_first_does_not_become_admin(
    tmp_path: Path,
) -> None:
    mine = "a customer's own password"
    async with auth(tmp_path, password=None) as http:
        body = {"email": ADMIN, "password": mine, "name": "Kim"}
        await http.post("/api/v1/users", json=body, headers={"Idempotency-Key": "k"})
    async with auth(tmp_path) as http:
        assert await scopes(http, mine) == ["customer"]
        assert await scopes(http, SECRET) == []


@pytest.mark.parametrize("later", ["a later secret", None])
async def test_a_changed_secret_does_not_change_the_admins_password(
    tmp_path: Path, later: str | None
) -> None:
    async with auth(tmp_path):
        pass
    async with auth(tmp_path, password=later) as http:
        assert await scopes(http, SECRET) == ["customer", "admin", "ops"]
