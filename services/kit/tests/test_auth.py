"""Tokens and scopes."""

import base64
import hashlib
import hmac
from datetime import UTC, datetime

import httpx
import orjson
import pytest
from fastapi import APIRouter
from services.kit.tests.conftest import Embedded

from shopkit.app import Service
from shopkit.auth import (
    Admin,
    Customer,
    ExpiredToken,
    InvalidToken,
    Signer,
    Verifier,
    access_token,
    new_keys,
)
from shopkit.clock import ManualClock
from shopkit.ids import SeededIds
from shopkit.testing import client_of, token

ALICE = "0197f0c2-0000-7000-8000-00000000000a"
START = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START)


def verifier_of(jwks: str, clock: ManualClock) -> Verifier:
    return Verifier.from_json(jwks, issuer="auth", audience="shop", clock=clock)


def signed(signer: Signer, clock: ManualClock, **changes: object) -> str:
    now = int(clock.now().timestamp())
    claims = {"iss": "auth", "aud": "shop", "sub": ALICE, "scope": "customer", "exp": now + 60}
    return signer.sign({k: v for k, v in {**claims, **changes}.items() if v is not None})


def encoded(part: object) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(part)).rstrip(b"=").decode()


def test_a_token_of_ours_is_accepted_for_its_ten_minutes(keys: Signer, clock: ManualClock) -> None:
    ids = SeededIds(1, clock)
    text = access_token(keys, user=ALICE, scopes="customer", clock=clock, ids=ids)
    verifier = verifier_of(keys.jwks_json(), clock)
    claims = verifier.verify(text)
    assert (claims["sub"], claims["scope"], claims["exp"] - claims["iat"]) == (
        ALICE,
        "customer",
        600,
    )
    clock.advance(610)
    with pytest.raises(ExpiredToken):
        verifier.verify(text)


@pytest.mark.parametrize(
    "changes",
    [{"aud": "orders"}, {"iss": "catalog"}, {"exp": None}, {"aud": None}],
    ids=["audience", "issuer", "no expiry", "no audience"],
)
def test_a_token_for_others_is_refused(
    keys: Signer, clock: ManualClock, changes: dict[str, object]
) -> None:
    with pytest.raises(InvalidToken):
        verifier_of(keys.jwks_json(), clock).verify(signed(keys, clock, **changes))


def test_a_token_of_another_key_is_refused(keys: Signer, clock: ManualClock) -> None:
    stranger = Signer.from_json(new_keys())
    with pytest.raises(InvalidToken):
        verifier_of(keys.jwks_json(), clock).verify(signed(stranger, clock))


def test_a_token_without_a_signature_is_refused(keys: Signer, clock: ManualClock) -> None:
    kid = keys.public()["keys"][0]["kid"]
    body = signed(keys, clock).split(".")[1]
    with pytest.raises(InvalidToken):
        verifier_of(keys.jwks_json(), clock).verify(
            f"{encoded({'alg': 'none', 'kid': kid})}.{body}."
        )


def test_the_public_key_does_not_work_as_a_shared_secret(keys: Signer, clock: ManualClock) -> None:
    kid = keys.public()["keys"][0]["kid"]
    text = f"{encoded({'alg': 'HS256', 'kid': kid})}.{signed(keys, clock).split('.')[1]}"
    mac = hmac.new(keys.jwks_json().encode(), text.encode(), hashlib.sha256).digest()
    forged = f"{text}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"
    with pytest.raises(InvalidToken):
        verifier_of(keys.jwks_json(), clock).verify(forged)


@pytest.mark.parametrize("text", ["", "a.b.c", "....", "é"])
def test_garbage_is_refused(keys: Signer, clock: ManualClock, text: str) -> None:
    with pytest.raises(InvalidToken):
        verifier_of(keys.jwks_json(), clock).verify(text)


def test_the_published_keys_hold_no_private_part(keys: Signer) -> None:
    assert all("d" not in key for key in keys.public()["keys"])


def test_both_keys_are_accepted_while_they_rotate(clock: ManualClock) -> None:
    old, new = (orjson.loads(new_keys())["keys"][0] for _ in range(2))
    before = Signer.from_json(orjson.dumps({"keys": [old, new]}).decode())
    after = Signer.from_json(orjson.dumps({"keys": [new, old]}).decode())
    verifier = verifier_of(before.jwks_json(), clock)
    assert verifier.verify(signed(before, clock))["sub"] == ALICE
    assert verifier.verify(signed(after, clock))["sub"] == ALICE


router = APIRouter()


@router.get("/mine")
async def mine(caller: Customer) -> dict[str, str]:
    return {"id": caller.id}


@router.get("/admin")
async def admin(caller: Admin) -> dict[str, str]:
    return {"id": caller.id}


async def get(embedded: Embedded, path: str, **headers: str) -> httpx.Response:
    service = Service("toy", await embedded.settings("toy"), version="1")
    service.routes(router)
    async with client_of(service, **headers) as http:
        return await http.get(path)


async def test_a_route_without_a_token_answers_401(embedded: Embedded) -> None:
    answer = await get(embedded, "/mine")
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == "urn:shop:problem:unauthenticated"


async def test_a_route_knows_its_caller(embedded: Embedded, keys: Signer) -> None:
    answer = await get(embedded, "/mine", Authorization=f"Bearer {token(keys, ALICE)}")
    assert (answer.status_code, answer.json()) == (200, {"id": ALICE})


async def test_a_missing_scope_answers_403(embedded: Embedded, keys: Signer) -> None:
    answer = await get(embedded, "/admin", Authorization=f"Bearer {token(keys, ALICE)}")
    assert (answer.status_code, answer.json()["type"]) == (403, "urn:shop:problem:forbidden")


async def test_a_changed_token_answers_401(embedded: Embedded, keys: Signer) -> None:
    answer = await get(embedded, "/mine", Authorization=f"Bearer {token(keys, ALICE)}x")
    assert answer.status_code == 401
