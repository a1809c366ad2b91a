"""Dead letters over the admin port: what is kept, and what a replay does."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from services.kit.tests.chassis import ORDER, Bench, bench, hold_message
from services.kit.tests.test_delivery import failing
from services.kit.tests.toy import seller
from services.kit.tests.toy.world import Backend

from shopkit import inbox
from shopkit.auth import Signer
from shopkit.messages import Message
from shopkit.testing import client_of, token
from shopkit.transport import Envelope

PATH = "/internal/dead-letters"
REPLAY = f"{PATH}/cmd/{hold_message().id}/replay"


@asynccontextmanager
async def ops_of(b: Bench, keys: Signer, scopes: str = "ops") -> AsyncIterator[httpx.AsyncClient]:
    bearer = f"Bearer {token(keys, ORDER, scopes)}"
    async with client_of(b.service.admin, Authorization=bearer) as http:
        yield http


async def buried(b: Bench, message: Message) -> None:
    failing(b.service, 3)
    await b.deliver(message)
    assert len(await b.dead_letters()) == 1


async def test_a_replay_hands_the_stored_message_to_its_handler_and_the_letter_goes(
    backend: Backend, keys: Signer
) -> None:
    async with bench(backend) as b, ops_of(b, keys) as http:
        await buried(b, hold_message())
        answer = await http.post(REPLAY)
        assert (answer.status_code, answer.json()) == (200, {"outcome": "ok"})
        assert await b.dead_letters() == []
        assert await seller.hold_statuses(b.service) == {ORDER: "HELD"}
        assert await b.outbox() == [("Held", 1)], "the sender gets its answer"
        assert (await http.post(REPLAY)).status_code == 404


async def test_a_replay_that_fails_says_why_changes_nothing_and_counts(
    backend: Backend, keys: Signer
) -> None:
    async with bench(backend) as b, ops_of(b, keys) as http:
        await buried(b, hold_message(data=b"not json"))
        answer = await http.post(REPLAY)
        assert answer.status_code == 409
        assert answer.headers["content-type"] == "application/problem+json"
        assert "JSONDecodeError" in answer.json()["detail"]
        assert (await b.dead_letters(), await b.inbox()) == ([("Hold", 2)], 0)


async def test_a_letter_whose_message_was_handled_meanwhile_goes_and_nothing_happens_twice(
    backend: Backend, keys: Signer
) -> None:
    async with bench(backend, stock=5) as b, ops_of(b, keys) as http:
        await b.deliver(hold_message())
        envelope = Envelope("cmd.seller.v1.Hold", hold_message().headers(), hold_message().data)
        failed = inbox.failure(envelope, RuntimeError("the other replica was faster"))
        async with b.service.db.transaction("late") as tx:
            await tx.execute("DELETE FROM inbox")
            await inbox.bury(tx, failed)
            await tx.insert_new(
                inbox.inbox,
                {
                    "consumer": "cmd",
                    "message_id": failed.message_id,
                    "received_at": tx.clock.now(),
                },
            )
        assert (await http.post(REPLAY)).json() == {"outcome": "duplicate"}
        assert (await b.dead_letters(), await seller.free_stock(b.service)) == ([], 4)


async def test_what_is_no_message_at_all_is_one_letter_and_stays_one(
    backend: Backend, keys: Signer
) -> None:
    async with bench(backend) as b, ops_of(b, keys) as http:
        failed = inbox.failure(Envelope("cmd.seller.v1.Hold", {}, b"\xff\xfe"), KeyError("ce-id"))
        async with b.service.db.transaction("bury") as tx:
            await inbox.bury(tx, failed)
        path = f"{PATH}/cmd/{failed.message_id}"
        assert (await http.get(path)).json()["subject"] == "cmd.seller.v1.Hold"
        assert (await http.post(f"{path}/replay")).status_code == 409
        assert await b.dead_letters() == [("Hold", 2)]


async def test_letters_come_in_pages_and_their_content_one_by_one(
    backend: Backend, keys: Signer
) -> None:
    async with bench(backend) as b, ops_of(b, keys) as http:
        bad = [f"0197f0c2-0000-7000-8000-{n:012d}" for n in range(5)]
        for order in bad:
            await b.deliver(hold_message(order_id=order, data=b"{}"))
        seen: list[str] = []
        query: dict[str, str] | None = {}
        while query is not None:
            page = (await http.get(PATH, params={"limit": 2, **query})).json()
            assert len(page["items"]) <= 2
            seen += [item["message_id"] for item in page["items"]]
            query = {"cursor": page["next_cursor"]} if page["next_cursor"] else None
        assert seen == sorted(hold_message(order_id=order).id for order in bad)
        opened = (await http.get(f"{PATH}/cmd/{seen[0]}")).json()
        assert (opened["data"], opened["headers"]["ce-type"]) == ("{}", "Hold")


@pytest.mark.parametrize("scopes", ["", "customer", "customer admin"])
async def test_only_ops_may_look_and_replay(backend: Backend, keys: Signer, scopes: str) -> None:
    async with bench(backend) as b, ops_of(b, keys, scopes) as http:
        await buried(b, hold_message())
        assert (await http.get(PATH)).status_code == 403
        assert (await http.get(f"{PATH}/cmd/{hold_message().id}")).status_code == 403
        assert (await http.post(REPLAY)).status_code == 403
        assert await b.dead_letters() == [("Hold", 1)]


@pytest.mark.parametrize("path", ["cmd/nonsense", "event/" + ORDER, "reply/" + ORDER])
async def test_a_letter_that_there_is_not_is_a_clear_error(
    backend: Backend, keys: Signer, path: str
) -> None:
    async with bench(backend) as b, ops_of(b, keys) as http:
        assert (await http.get(f"{PATH}/{path}")).status_code in (404, 422)
        assert (await http.get(PATH, params={"cursor": "nonsense"})).status_code == 422
