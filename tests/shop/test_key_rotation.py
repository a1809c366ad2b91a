"""A signing key is changed under the customers' feet, and nobody is refused.

Add, roll, reorder, roll, wait, remove, roll: after each single service that was started again, what
was signed at any earlier moment is taken by all, for as long as it was promised.
"""

from __future__ import annotations

import base64
import io
import json
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from tests.shop.auditing_in_process import must_be_clean
from tests.shop.crashing import PASSWORD
from tests.shop.processes import PATIENCE
from tests.shop.shop_in_process import Customer, keyed
from tests.shop.still_shop import LIFETIME, SETTINGS, WITH_KEYS, Held, StillShop
from tests.shop.town import Town, hasty_town

from shop import rotation
from shop.__main__ import main
from shopkit.auth import LEEWAY, Signer, new_keys
from shopkit.testing import ServerProcess

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
LOGIN = {"email": "kim@shop.example", "password": PASSWORD}
Step = Callable[[str], str]


@pytest.fixture
async def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[StillShop]:
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, str(value))
    opened = await StillShop.opened(tmp_path, START)
    await opened.called("POST", "/api/v1/users", {**LOGIN, "name": "Kim"}, keyed({}))
    yield opened
    await opened.close()


async def comes(shop: StillShop) -> Held:
    """Signs in and takes a quote: both signed by the keys of this moment."""
    login = await shop.called("POST", "/api/v1/tokens", LOGIN, {})
    headers = {"Authorization": f"Bearer {login['access_token']}"}
    me = await shop.called("GET", "/api/v1/users/me", None, headers)
    return await shop.holding(Customer(shop, me["id"]), headers)


async def is_known(shop: StillShop, held: Held) -> None:
    for path in ("/api/v1/users/me", "/api/v1/cart", "/api/v1/payment-methods"):
        await shop.called("GET", path, None, held.headers)


async def buys(shop: StillShop, held: Held) -> None:
    order_id = await shop.ordered(held)
    await shop.settle(step=1, seconds=60)
    order = await held.customer.order(order_id)
    assert order["state"] == "COMPLETED", order["timeline"]


async def it_is(shop: StillShop, when: datetime) -> None:
    await shop.later(max(0, (when - shop.clock.now()).total_seconds()))


async def served_throughout(shop: StillShop, step: Step, *held: Held) -> list[Held]:
    """Those who had come before, and one more after each service that was started again."""
    known = list(held)
    async for _ in shop.roll(step):
        known.append(await comes(shop))
        for one in known:
            await is_known(shop, one)
        await buys(shop, known[-1])
    return known


def signed_by(shop: StillShop, held: Held) -> int:
    """The place of the token's key in the set."""
    token = held.headers["Authorization"].split()[1]
    kid = json.loads(_decoded(token.split(".")[0]))["kid"]
    return [key["kid"] for key in json.loads(shop.keys.token_keys)["keys"]].index(kid)


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


async def test_nobody_is_refused_while_the_keys_are_changed(shop: StillShop) -> None:
    first = [await comes(shop) for _ in range(3)]
    await served_throughout(shop, rotation.added, *first)
    assert signed_by(shop, await comes(shop)) == 0
    await buys(shop, first[0])
    await served_throughout(shop, rotation.reordered, *first)
    assert signed_by(shop, first[1]) == 1, "what the old key signed is around"
    assert signed_by(shop, await comes(shop)) == 0, "and the new key signs"
    unused = shop.in_seconds(LIFETIME + LEEWAY + 1)
    await it_is(shop, first[1].until - timedelta(seconds=1))
    await buys(shop, first[1])
    await it_is(shop, unused)
    await served_throughout(shop, rotation.removed, await comes(shop))
    assert len(json.loads(shop.keys.token_keys)["keys"]) == 1
    await must_be_clean(shop)


async def test_a_key_that_was_not_published_first_is_refused(shop: StillShop) -> None:
    """What the steps are for: the one that signs may be the first to start again."""
    changed = {"token_keys": new_keys(), "quote_keys": new_keys()}
    shop.keys = shop.keys.model_copy(update=changed)
    await shop.kill("auth")
    await shop.start("auth")
    login = await shop.called("POST", "/api/v1/tokens", LOGIN, {})
    headers = {"Authorization": f"Bearer {login['access_token']}"}
    assert await status(shop, "/api/v1/cart", headers) == 401


async def test_a_key_that_is_removed_too_early_refuses_those_who_came_before(
    shop: StillShop,
) -> None:
    early = await comes(shop)
    for step in (rotation.added, rotation.reordered, rotation.removed):
        async for _ in shop.roll(step):
            pass
    assert await status(shop, "/api/v1/cart", early.headers) == 401


async def status(shop: StillShop, path: str, headers: Mapping[str, str]) -> int:
    return (await shop.http.get(path, headers=dict(headers))).status_code


# --- as typed ------------------------------------------------------------------------------------


def typed(monkeypatch: pytest.MonkeyPatch, given: str, *arguments: str) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(given))
    main(["keys", *arguments])


def test_the_command_makes_each_set_from_the_one_before(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sets = [new_keys()]
    for step in ("add", "reorder", "remove"):
        typed(monkeypatch, sets[-1], step)
        sets.append(capsys.readouterr().out)
    (old,), (also, new), (signs, *older), (left,) = (json.loads(text)["keys"] for text in sets)
    assert (also, signs, older, left) == (old, new, [old], new)
    typed(monkeypatch, sets[1], "public")
    public = json.loads(capsys.readouterr().out)
    assert public == Signer.from_json(sets[1]).public()
    assert not any("d" in key for key in public["keys"])


@pytest.mark.parametrize("given", ["", "{}", '{"keys": []}', '{"keys": [{"kty": "EC"}]}'])
def test_what_is_no_private_key_set_is_refused_in_words(
    given: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SystemExit, match="no private JWK set"):
        typed(monkeypatch, given, "add")


# --- where a start is a new process --------------------------------------------------------------


@pytest.mark.long
@pytest.mark.xdist_group("crash-processes")
async def test_nobody_is_refused_while_real_processes_are_killed_for_their_new_keys(
    tmp_path: Path, postgres_server: ServerProcess
) -> None:
    async with hasty_town(tmp_path, postgres_server) as town:
        await town.called("auth", "POST", "/users", {**LOGIN, "name": "Kim"}, keyed({}))
        early = await bearer(town)
        for step in (rotation.added, rotation.reordered):
            keys = town.shop.keys
            after = {name: step(getattr(keys, name)) for name in ("token_keys", "quote_keys")}
            town.shop.keys = keys.model_copy(update=after)
            for name in WITH_KEYS:
                town.shop.kill(name)
                town.shop.start(name)
                await town.shop.ready(name)
                for headers in (early, await bearer(town)):
                    assert (await cart(town, headers)).status_code == 200
                order = await town.buy(str(uuid.uuid4()), "tea", "tok_ok")
                assert await town.ends(order) == "COMPLETED"
        verdict = await town.audit(PATIENCE)
        assert (verdict.violations, verdict.unsettled, verdict.letters) == ([], [], [])


async def bearer(town: Town) -> dict[str, str]:
    login = await town.called("auth", "POST", "/tokens", LOGIN, {})
    return {"Authorization": f"Bearer {login.json()['access_token']}"}


async def cart(town: Town, headers: dict[str, str]) -> httpx.Response:
    return await town.called("orders", "GET", "/cart", None, headers)
