"""What /ops asks, when nobody answers and when the wrong one asks."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from shopkit.auth import Signer
from shopkit.testing import client_of, token
from storefront.app import create_app
from storefront.settings import StorefrontSettings

OPS = "/ops/api"
USER = "00000000-0000-7000-8000-00000000000a"


@asynccontextmanager
async def asked_by(folder: Path, keys: Signer, scopes: str) -> AsyncIterator[httpx.AsyncClient]:
    """With admin ports at which nobody is."""
    settings = StorefrontSettings(
        data_dir=folder,
        token_jwks=SecretStr(keys.jwks_json()),
        admin_url="http://127.0.0.1:9/{service}",
    )
    service = create_app(settings)
    async with client_of(service, Authorization=f"Bearer {token(keys, USER, scopes)}") as http:
        yield http


async def test_a_service_that_is_away_is_named_and_the_page_still_works(
    tmp_path: Path, keys: Signer
) -> None:
    async with asked_by(tmp_path, keys, "ops") as http:
        seen = (await http.get(f"{OPS}/state")).json()
        assert [one["service"] for one in seen] == ["auth", "catalog", "orders", "payments"]
        assert {one["state"] for one in seen} == {None}
        assert seen[2]["trouble"] == "orders does not answer."
        assert (await http.get(f"{OPS}/dead-letters")).json() == []


async def test_a_check_that_cannot_see_everything_lights_nothing(
    tmp_path: Path, keys: Signer
) -> None:
    async with asked_by(tmp_path, keys, "ops") as http:
        answer = await http.post(f"{OPS}/audit")
        assert (answer.status_code, answer.json()["detail"]) == (503, "auth does not answer.")
        assert {light["colour"] for light in (await http.get(f"{OPS}/lights")).json()} == {"grey"}


@pytest.mark.parametrize("scopes", ["", "customer", "customer admin"])
async def test_only_ops_may_ask(tmp_path: Path, keys: Signer, scopes: str) -> None:
    async with asked_by(tmp_path, keys, scopes) as http:
        for path in ("/state", "/lights", "/dead-letters", "/faults/orders"):
            assert (await http.get(f"{OPS}{path}")).status_code == 403, path
        for path in ("/audit", f"/dead-letters/orders/cmd/{USER}/replay", "/faults/orders/death"):
            assert (await http.post(f"{OPS}{path}", json={})).status_code == 403, path
