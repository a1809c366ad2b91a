"""The rules of Idempotency-Key, on both databases."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from fastapi import APIRouter, Response
from services.kit.tests.conftest import Real
from services.kit.tests.toy import buyer
from services.kit.tests.toy.world import Backend

from shopkit.app import Service, World
from shopkit.auth import Signer
from shopkit.db import Tx
from shopkit.idempotency import Answer, Idempotent
from shopkit.schema import idempotency_keys, sagas
from shopkit.testing import client_of, token

ALICE = "0197f0c2-0000-7000-8000-00000000000a"
BOB = "0197f0c2-0000-7000-8000-00000000000b"
PURCHASES = "/api/v1/purchases"


class Gate:
    """Holds the work of a request inside its transaction."""

    def __init__(self) -> None:
        self.entered, self.open = asyncio.Event(), asyncio.Event()
        self.runs = 0


def gated(gate: Gate) -> APIRouter:
    router = APIRouter()

    @router.post("/gated")
    async def route(idem: Idempotent) -> Response:
        async def work(tx: Tx) -> Answer:
            gate.runs += 1
            gate.entered.set()
            await gate.open.wait()
            return Answer(201, {"run": gate.runs})

        return await idem.run("gated", work)

    @router.post("/broken")
    async def broken(idem: Idempotent) -> Response:
        async def work(tx: Tx) -> Answer:
            gate.runs += 1
            return Answer(500 if gate.runs == 1 else 200, {"run": gate.runs})

        return await idem.run("broken", work)

    return router


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
async def service(backend: Backend, gate: Gate) -> AsyncIterator[Service]:
    settings = (await backend.settings("buyer")).model_copy(update={"lock_timeout": 0.3})
    service = buyer.create_app(settings, World())
    service.routes(gated(gate))
    await service.db.open()
    await service.migrate()
    yield service
    gate.open.set()
    await service.db.close()


@pytest.fixture
async def http(service: Service, keys: Signer) -> AsyncIterator[httpx.AsyncClient]:
    bearer = f"Bearer {token(keys, ALICE)}"
    async with client_of(service, Authorization=bearer) as client:
        yield client


async def post(http: httpx.AsyncClient, key: str | None, note: str, **more: Any) -> httpx.Response:
    headers = {"Idempotency-Key": key} if key is not None else {}
    more["headers"] = {**headers, **more.get("headers", {})}
    return await http.post(PURCHASES, **{"json": {"note": note}, **more})


async def rows(service: Service, table: sa.Table) -> int:
    async with service.db.read() as tx:
        return int(await tx.scalar(sa.select(sa.func.count()).select_from(table)))


async def test_a_repeated_request_gets_the_stored_answer(
    http: httpx.AsyncClient, service: Service
) -> None:
    first, again = await post(http, "k", "one"), await post(http, "k", "one")
    assert (first.status_code, again.status_code) == (202, 202)
    assert (first.content, first.headers["location"]) == (again.content, again.headers["location"])
    assert "idempotent-replay" not in first.headers
    assert again.headers["idempotent-replay"] == "true"
    assert await rows(service, sagas) == 1


async def test_spaces_and_the_order_of_fields_do_not_make_another_request(
    http: httpx.AsyncClient,
) -> None:
    await post(http, "k", "one")
    spaced, plain = b'  {"note" :\n "one"}', {"Content-Type": "application/json"}
    again = await post(http, "k", "", json=None, content=spaced, headers=plain)
    assert again.headers["idempotent-replay"] == "true"


async def test_another_body_under_the_same_key_is_refused(http: httpx.AsyncClient) -> None:
    await post(http, "k", "one")
    other = await post(http, "k", "two")
    assert other.status_code == 422
    assert other.json()["type"] == "urn:shop:problem:idempotency-key-reused"


async def test_a_request_without_a_key_is_refused(http: httpx.AsyncClient) -> None:
    answer = await post(http, None, "one")
    assert answer.status_code == 400
    assert answer.json()["type"] == "urn:shop:problem:idempotency-key-missing"


async def test_the_same_key_of_another_user_is_another_request(
    http: httpx.AsyncClient, service: Service, keys: Signer
) -> None:
    await post(http, "k", "one")
    bob = {"Authorization": f"Bearer {token(keys, BOB)}"}
    answer = await post(http, "k", "one", headers=bob)
    assert "idempotent-replay" not in answer.headers
    assert await rows(service, sagas) == 2


async def test_a_rolled_back_request_leaves_no_row(
    http: httpx.AsyncClient, service: Service
) -> None:
    for _ in range(2):
        answer = await post(http, "k", "reject")
        assert answer.status_code == 409
        assert "idempotent-replay" not in answer.headers
    assert await rows(service, idempotency_keys) == 0


async def test_a_server_error_is_not_kept(http: httpx.AsyncClient, service: Service) -> None:
    headers = {"Idempotency-Key": "k"}
    answers = [await http.post("/broken", headers=headers) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [500, 200, 200]
    assert answers[2].json() == {"run": 2}


async def test_a_double_click_is_one_purchase(http: httpx.AsyncClient, service: Service) -> None:
    answers = await asyncio.gather(*(post(http, "k", "one") for _ in range(5)))
    assert {answer.status_code for answer in answers} <= {202, 409, 503}
    assert await rows(service, sagas) == 1


async def test_a_request_that_is_still_running_is_said_to_be(
    http: httpx.AsyncClient, gate: Gate, backend: Backend
) -> None:
    headers = {"Idempotency-Key": "k"}
    first = asyncio.create_task(http.post("/gated", headers=headers))
    await gate.entered.wait()
    second = await http.post("/gated", headers=headers)
    expected = (409, "in-progress") if isinstance(backend, Real) else (503, "unavailable")
    assert (second.status_code, second.json()["type"].split(":")[-1]) == expected
    assert second.headers["retry-after"] == "1"
    gate.open.set()
    assert ((await first).status_code, gate.runs) == (201, 1)


async def test_requests_are_counted_by_outcome(http: httpx.AsyncClient, service: Service) -> None:
    for note in ("one", "one", "two"):
        await post(http, "k", note)
    value = service.metrics.registry.get_sample_value
    names = [{"outcome": o, "service": "buyer"} for o in ("new", "replay", "conflict")]
    assert [value("shop_idempotent_requests_total", labels) for labels in names] == [1, 1, 1]


async def test_the_body_is_not_readable_in_the_table(
    http: httpx.AsyncClient, service: Service
) -> None:
    await post(http, "k", "my secret")
    async with service.db.read() as tx:
        row = await tx.one(sa.select(idempotency_keys))
    assert row is not None
    assert "my secret" not in str(tuple(row))
