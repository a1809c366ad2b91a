"""The erasure where it is real: six processes, PostgreSQL, NATS with its permissions, kill -9."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest
from tests.shop.crashing import PASSWORD
from tests.shop.processes import PATIENCE
from tests.shop.shop_in_process import keyed
from tests.shop.town import AGAIN, Town, hasty_town

from shopkit.testing import ServerProcess, until

pytestmark = pytest.mark.xdist_group("crash-processes")


async def test_a_user_is_forgotten_although_everybody_who_is_asked_dies(
    tmp_path: Path, postgres_server: ServerProcess
) -> None:
    async with hasty_town(tmp_path, postgres_server) as town:
        user, login = await registered(town)
        order_id = await town.buy(user, "tea", "tok_requires_action")
        await town.is_asked(order_id)
        answer = await town.called("auth", "DELETE", "/users/me", None, town.signed_in(user))
        assert answer.status_code == 202
        for name in ("auth", "orders", "payments"):
            town.shop.kill(name)
        for name in ("auth", "orders", "payments"):
            town.shop.start(name)
        assert (await town.called("auth", "POST", "/tokens", login, {})).status_code == 401
        await town.approve(order_id)
        await until(lambda: forgotten(town, user), PATIENCE, AGAIN)
        verdict = await town.audit(PATIENCE)
        assert (verdict.violations, verdict.unsettled, verdict.letters) == ([], [], [])
        await town.called("auth", "POST", "/users", {**login, "name": "Kim"}, keyed({}))
        again = await town.called("auth", "POST", "/tokens", login, {})
        assert again.status_code == 200, "the address is free again"


async def registered(town: Town) -> tuple[str, dict[str, str]]:
    login = {"email": f"kim-{uuid.uuid4().hex[:12]}@shop.example", "password": PASSWORD}
    await town.called("auth", "POST", "/users", {**login, "name": "Kim"}, keyed({}))
    token = (await town.called("auth", "POST", "/tokens", login, {})).json()["access_token"]
    bearer = {"Authorization": f"Bearer {token}"}
    me = await town.called("auth", "GET", "/users/me", None, bearer)
    return str(me.json()["id"]), login


async def forgotten(town: Town, user: str) -> bool:
    """Its orders are no longer its own, and auth does not know it."""
    mine = town.signed_in(user)
    orders = await town.called("orders", "GET", "/orders", None, mine)
    me = await town.called("auth", "GET", "/users/me", None, mine)
    return (orders.json()["items"], me.status_code) == ([], 401)
