"""Auth over ASGI, with its own SQLite file and a clock that the test moves."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from auth.app import create_app
from auth.settings import AuthSettings
from auth.tables import refresh_tokens, users
from shopkit.app import Service, World
from shopkit.auth import Signer, Verifier, new_keys
from shopkit.clock import ManualClock

KEYS = new_keys()
JWKS = Signer.from_json(KEYS).jwks_json()
PASSWORD = "correct horse battery"


def settings(folder: Path, **changes: Any) -> AuthSettings:
    given: dict[str, Any] = {
        "database_url": None,
        "nats_url": None,
        "data_dir": folder,
        "token_keys": SecretStr(KEYS),
        "token_jwks": SecretStr(JWKS),
        "idempotency_key": SecretStr("k" * 32),
        "sqlite_synchronous": "NORMAL",
    }
    return AuthSettings(**(given | changes))


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(datetime(2026, 3, 1, 12, tzinfo=UTC))


@pytest.fixture
async def auth(tmp_path: Path, clock: ManualClock) -> AsyncIterator[Service]:
    service = create_app(settings(tmp_path), World(clock))
    await service.start()
    await service.settled()
    yield service
    await service.kill()


@pytest.fixture
async def http(auth: Service) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(auth) as client:
        yield client


def client_of(service: Service) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(service.app)
    return httpx.AsyncClient(transport=transport, base_url="http://shop.test/api/v1")


async def register(
    http: httpx.AsyncClient, email: str = "kim@example.com", key: str = "r1"
) -> httpx.Response:
    body = {"email": email, "password": PASSWORD, "name": "Kim Lee"}
    return await http.post("/users", json=body, headers={"Idempotency-Key": key})


async def log_in(
    http: httpx.AsyncClient, email: str = "kim@example.com", password: str = PASSWORD
) -> httpx.Response:
    return await http.post("/tokens", json={"email": email, "password": password})


async def signed_in(http: httpx.AsyncClient) -> dict[str, str]:
    await register(http)
    token = (await log_in(http)).json()["access_token"]
    return {"Authorization": f"Bearer {token}"}


def claims(token: str, clock: ManualClock) -> dict[str, Any]:
    return Verifier.from_json(JWKS, issuer="auth", audience="shop", clock=clock).verify(token)


async def test_a_registered_customer_logs_in_and_sees_the_profile(
    http: httpx.AsyncClient, clock: ManualClock
) -> None:
    headers = await signed_in(http)
    me = (await http.get("/users/me", headers=headers)).json()
    assert (me["email"], me["name"], me["scopes"]) == ("kim@example.com", "Kim Lee", ["customer"])
    token = claims(headers["Authorization"].removeprefix("Bearer "), clock)
    assert (token["sub"], token["scope"], token["exp"] - token["iat"]) == (
        me["id"],
        "customer",
        600,
    )


async def test_the_answer_is_the_same_whether_the_address_has_an_account(
    auth: Service, http: httpx.AsyncClient
) -> None:
    first, second = await register(http), await register(http, key="r2")
    assert (
        (first.status_code, first.content) == (second.status_code, second.content) == (202, b"{}")
    )
    async with auth.db.read() as tx:
        mine = users.c.email == "kim@example.com"
        assert await tx.scalar(sa.select(sa.func.count()).where(mine)) == 1


async def test_a_second_registration_does_not_change_the_password(http: httpx.AsyncClient) -> None:
    await register(http)
    stolen = {"email": "kim@example.com", "password": "another password", "name": "X"}
    await http.post("/users", json=stolen, headers={"Idempotency-Key": "r2"})
    assert (await log_in(http, password="another password")).status_code == 401
    assert (await log_in(http)).status_code == 200


async def test_a_registration_needs_an_idempotency_key(http: httpx.AsyncClient) -> None:
    body = {"email": "kim@example.com", "password": PASSWORD, "name": "Kim"}
    answer = await http.post("/users", json=body)
    assert (answer.status_code, answer.json()["type"]) == (
        400,
        "urn:shop:problem:idempotency-key-missing",
    )


async def test_a_bad_registration_names_its_fields_and_never_repeats_the_password(
    http: httpx.AsyncClient,
) -> None:
    body = {"email": "kim", "password": "tooshort!", "name": ""}
    answer = await http.post("/users", json=body, headers={"Idempotency-Key": "k"})
    fields = {error["field"] for error in answer.json()["errors"]}
    assert (answer.status_code, fields) == (422, {"body.email", "body.password", "body.name"})
    assert "tooshort!" not in answer.text


async def test_unknown_address_and_wrong_password_get_the_same_answer(
    http: httpx.AsyncClient,
) -> None:
    await register(http)
    wrong = await log_in(http, password="wrong")
    unknown = await log_in(http, email="nobody@example.com")
    assert wrong.status_code == unknown.status_code == 401
    assert wrong.json()["detail"] == unknown.json()["detail"]


@pytest.mark.parametrize("email", ["kim@example.com", "nobody@example.com"])
async def test_five_wrong_passwords_lock_the_account_for_15_minutes(
    http: httpx.AsyncClient, clock: ManualClock, email: str
) -> None:
    await register(http)
    statuses = [(await log_in(http, email, "wrong")).status_code for _ in range(5)]
    locked = await log_in(http, email)
    assert statuses == [401] * 5
    assert (locked.status_code, locked.headers["Retry-After"]) == (429, "900")
    clock.advance(900)
    assert (await log_in(http, email)).status_code == (200 if email.startswith("kim") else 401)


async def test_a_burst_of_guesses_is_locked_like_a_slow_one(http: httpx.AsyncClient) -> None:
    await register(http)
    answers = await asyncio.gather(*(log_in(http, password=f"guess {n}") for n in range(20)))
    tried = sum(answer.status_code == 401 for answer in answers)
    assert 5 <= tried < 5 + 20 // 2
    assert (await log_in(http)).status_code == 429


async def test_a_right_password_forgets_the_wrong_ones(http: httpx.AsyncClient) -> None:
    await register(http)
    for _ in range(2):
        for _ in range(4):
            await log_in(http, password="wrong")
        assert (await log_in(http)).status_code == 200


async def test_the_refresh_cookie_is_out_of_reach_of_scripts_and_other_sites(
    http: httpx.AsyncClient,
) -> None:
    await register(http)
    cookie = (await log_in(http)).headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert "Path=/api/v1/tokens" in cookie


async def test_over_https_the_cookie_is_secure(auth: Service, http: httpx.AsyncClient) -> None:
    await register(http)
    transport = httpx.ASGITransport(auth.app)
    async with httpx.AsyncClient(transport=transport, base_url="https://shop.test/api/v1") as tls:
        assert "Secure" in (await log_in(tls)).headers["set-cookie"]


async def test_a_refresh_rotates_the_cookie_and_gives_a_new_access_token(
    http: httpx.AsyncClient,
) -> None:
    await signed_in(http)
    before = http.cookies["refresh_token"]
    answer = await http.post("/tokens/refresh")
    assert answer.status_code == 200
    assert http.cookies["refresh_token"] != before
    headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}
    assert (await http.get("/users/me", headers=headers)).status_code == 200


async def refresh_with(http: httpx.AsyncClient, token: str) -> httpx.Response:
    http.cookies.clear()
    return await http.post("/tokens/refresh", headers={"Cookie": f"refresh_token={token}"})


async def test_two_tabs_may_use_the_same_cookie_within_ten_seconds(
    http: httpx.AsyncClient, clock: ManualClock
) -> None:
    await signed_in(http)
    cookie = http.cookies["refresh_token"]
    assert (await refresh_with(http, cookie)).status_code == 200
    clock.advance(9)
    again = await refresh_with(http, cookie)
    assert again.status_code == 200
    assert (await refresh_with(http, again.cookies["refresh_token"])).status_code == 200


async def test_a_reused_cookie_ends_the_session_for_thief_and_owner(
    http: httpx.AsyncClient, clock: ManualClock
) -> None:
    await signed_in(http)
    stolen = http.cookies["refresh_token"]
    owners = (await refresh_with(http, stolen)).cookies["refresh_token"]
    clock.advance(11)
    assert (await refresh_with(http, stolen)).status_code == 401
    assert (await refresh_with(http, owners)).status_code == 401


async def test_using_the_grace_does_not_make_it_longer(
    http: httpx.AsyncClient, clock: ManualClock
) -> None:
    await signed_in(http)
    cookie = http.cookies["refresh_token"]
    for _ in range(2):
        assert (await refresh_with(http, cookie)).status_code == 200
        clock.advance(6)
    assert (await refresh_with(http, cookie)).status_code == 401


async def test_a_refresh_token_is_stored_as_a_hash_and_expires(
    auth: Service, http: httpx.AsyncClient, clock: ManualClock
) -> None:
    await signed_in(http)
    token = http.cookies["refresh_token"]
    async with auth.db.read() as tx:
        assert token not in str(await tx.all(sa.select(refresh_tokens)))
    clock.advance(30 * 86400)
    assert (await refresh_with(http, token)).status_code == 401


async def test_logging_out_here_leaves_the_other_devices_signed_in(
    auth: Service, http: httpx.AsyncClient
) -> None:
    headers = await signed_in(http)
    async with client_of(auth) as other:
        await log_in(other)
        mine = http.cookies["refresh_token"]
        assert (await http.delete("/tokens/current", headers=headers)).status_code == 204
        assert (await refresh_with(http, mine)).status_code == 401
        assert (await other.post("/tokens/refresh")).status_code == 200


async def test_logging_out_everywhere_ends_every_session(
    auth: Service, http: httpx.AsyncClient
) -> None:
    headers = await signed_in(http)
    async with client_of(auth) as other:
        await log_in(other)
        assert (await http.delete("/tokens", headers=headers)).status_code == 204
        assert (await other.post("/tokens/refresh")).status_code == 401


async def test_a_stranger_cannot_log_somebody_out(auth: Service, http: httpx.AsyncClient) -> None:
    await signed_in(http)
    cookie = http.cookies["refresh_token"]
    await register(http, "eve@example.com", "r2")
    eve = {
        "Authorization": f"Bearer {(await log_in(http, 'eve@example.com')).json()['access_token']}"
    }
    http.cookies.clear()
    await http.delete("/tokens/current", headers=eve | {"Cookie": f"refresh_token={cookie}"})
    assert (await refresh_with(http, cookie)).status_code == 200


async def test_a_new_password_needs_the_old_one_and_ends_all_sessions(
    http: httpx.AsyncClient,
) -> None:
    headers = await signed_in(http)
    cookie = http.cookies["refresh_token"]
    change = {"current_password": "wrong", "new_password": "a better password"}
    refused = await http.post("/users/me/password", json=change, headers=headers)
    change["current_password"] = PASSWORD
    accepted = await http.post("/users/me/password", json=change, headers=headers)
    assert (refused.status_code, accepted.status_code) == (422, 204)
    assert (await refresh_with(http, cookie)).status_code == 401
    assert (await log_in(http)).status_code == 401
    assert (await log_in(http, password="a better password")).status_code == 200


async def test_a_customer_may_change_the_name(http: httpx.AsyncClient) -> None:
    headers = await signed_in(http)
    await http.patch("/users/me", json={"name": "  Kim Park "}, headers=headers)
    assert (await http.get("/users/me", headers=headers)).json()["name"] == "Kim Park"


async def test_without_a_valid_token_there_is_no_profile(
    http: httpx.AsyncClient, clock: ManualClock
) -> None:
    headers = await signed_in(http)
    clock.advance(606)
    for sent in ({}, {"Authorization": "Bearer nonsense"}, headers):
        assert (await http.get("/users/me", headers=sent)).status_code == 401


async def test_the_public_keys_are_public_and_the_private_part_is_not(
    http: httpx.AsyncClient,
) -> None:
    answer = (await http.get("http://shop.test/.well-known/jwks.json")).json()
    assert [sorted(key) for key in answer["keys"]] == [
        ["alg", "crv", "kid", "kty", "use", "x", "y"]
    ]


async def test_too_many_requests_from_one_address_are_slowed_down(
    tmp_path: Path, clock: ManualClock
) -> None:
    service = create_app(settings(tmp_path, rate_limit=2), World(clock))
    await service.start()
    await service.settled()
    async with client_of(service) as http:
        statuses = [(await log_in(http)).status_code for _ in range(3)]
        others = await register(http)
    await service.kill()
    assert (statuses, others.status_code) == ([401, 401, 429], 202)


async def test_who_wants_to_go_is_signed_out_everywhere_and_may_ask_twice(
    http: httpx.AsyncClient,
) -> None:
    """What follows in the other services: tests/shop/test_erasure.py."""
    caller = await signed_in(http)
    answers = [await http.delete("/users/me", headers=caller) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [202, 202]
    assert (await http.post("/tokens/refresh")).status_code == 401
    assert (await http.delete("/users/me")).status_code == 401
