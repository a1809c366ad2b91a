"""The delivery rules, by letter."""

import ast
import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from services.kit.tests.chassis import ORDER, Wire, bench, hold_message, letter
from services.kit.tests.toy import buyer, seller
from services.kit.tests.toy.messages import Hold, Pay
from services.kit.tests.toy.tables import holds
from services.kit.tests.toy.world import Backend, toys

import shopkit
from shopkit import outbox
from shopkit.app import Service
from shopkit.chassis import Chassis
from shopkit.db import Tx
from shopkit.faults import Crash
from shopkit.messages import Command, command_id, encode
from shopkit.registry import Handler
from shopkit.relay import Relay
from shopkit.schema import dead_letters
from shopkit.testing import until
from shopkit.waker import Waker

OTHER = "0197f0c2-0000-7000-8000-000000000002"


class Broken(Exception):
    """A handler that fails."""


def relay(chassis: Chassis, wire: Wire) -> Relay:
    return Relay(replace(chassis, transport=wire), Waker(chassis.clock))


# ---- a ----------------------------------------------------------------------------------------


async def test_a_state_and_message_are_written_together_or_not_at_all(backend: Backend) -> None:
    async with bench(backend) as b:
        with pytest.raises(Broken):
            await hold_and_send(b.service, Broken())
        assert (await b.rows(holds), await b.outbox()) == ([], [])
        await hold_and_send(b.service, None)
        assert (len(await b.rows(holds)), await b.outbox()) == (1, [("Hold", 1)])


async def hold_and_send(service: Service, error: Exception | None) -> None:
    async with service.db.transaction("hold") as tx:
        await tx.insert_new(holds, {"order_id": ORDER, "status": "HELD"})
        await outbox.command(tx, "seller", Hold(order_id=ORDER), correlation_id=ORDER)
        if error is not None:
            raise error


def test_a_nothing_but_the_relay_publishes() -> None:
    services = Path(shopkit.__file__).parents[2]
    sources = [p for p in services.rglob("*.py") if "tests" not in p.parts]
    calls = {p.relative_to(services) for p in sources if _calls(p, "publish")}
    assert {str(path) for path in calls} == {
        "kit/shopkit/relay.py",
        "kit/shopkit/transport/memory.py",
        "kit/shopkit/transport/nats.py",
    }


def _calls(path: Path, name: str) -> bool:
    nodes = ast.walk(ast.parse(path.read_text()))
    calls = [node.func for node in nodes if isinstance(node, ast.Call)]
    return any(isinstance(call, ast.Attribute) and call.attr == name for call in calls)


# ---- b ----------------------------------------------------------------------------------------


async def commands(b_service: Service, count: int) -> None:
    async with b_service.db.transaction("many") as tx:
        for number in range(count):
            order = f"0197f0c2-0000-7000-8000-{number:012d}"
            await outbox.command(tx, "seller", Hold(order_id=order), correlation_id=order)


async def test_b_two_relays_publish_each_message_once_and_delete_it(backend: Backend) -> None:
    async with bench(backend) as b:
        wire = Wire()
        await commands(b.service, 40)
        first, second = relay(b.chassis, wire), relay(b.chassis, wire)
        await asyncio.gather(first.once(), second.once())
        await first.once()
        assert len({m.id for m in wire.published}) == len(wire.published) == 40
        assert await b.outbox() == []


async def test_b_what_the_broker_did_not_store_stays_and_is_tried_again(backend: Backend) -> None:
    async with bench(backend) as b:
        wire = Wire(refuse={"Hold"})
        await commands(b.service, 1)
        assert await relay(b.chassis, wire).once() == (0, 1)
        wire.refuse.clear()
        assert await relay(b.chassis, wire).once() == (1, 0)


async def test_b_a_leased_row_is_free_again_when_its_relay_died(backend: Backend) -> None:
    async with bench(backend, relay_lease=0.05) as b:
        await commands(b.service, 1)
        b.chassis.points.arm("seller.hold.before_publish")
        with pytest.raises(Crash):
            await relay(b.chassis, Wire()).once()
        b.chassis.points.revive("seller")
        wire = Wire()

        async def published() -> bool:
            await relay(b.chassis, wire).once()
            return len(wire.published) == 1

        await until(published)


async def test_b_a_commit_wakes_the_relay_before_its_poll(backend: Backend) -> None:
    async with toys(backend, relay_poll=3600.0, saga_poll=3600.0) as toy:
        await buyer.buy(toy.buyer, ORDER)
        await toy.reaches(ORDER, "DONE", 10)


# ---- c ----------------------------------------------------------------------------------------


async def test_c_the_ack_comes_after_the_commit(backend: Backend) -> None:
    async with bench(backend) as b:
        b.chassis.points.arm("seller.hold.before_commit")
        first = letter(hold_message())
        with pytest.raises(Crash):
            await b.consumer._deliver(first)
        b.chassis.points.revive("seller")
        assert first.acks == 0
        assert (await b.inbox(), await b.rows(holds), await b.outbox()) == (0, [], [])
        note = await b.deliver(hold_message())
        assert (note.acks, await b.inbox(), await b.outbox()) == (1, 1, [("Held", 1)])


async def test_c_a_message_takes_effect_once_when_its_ack_was_lost(backend: Backend) -> None:
    async with bench(backend, stock=5) as b:
        b.chassis.points.arm("seller.hold.before_ack")
        with pytest.raises(Crash):
            await b.deliver(hold_message())
        b.chassis.points.revive("seller")
        assert (await b.deliver(hold_message(), delivered=2)).acks == 1
        assert await seller.free_stock(b.service) == 4


async def test_c_two_copies_at_once_take_effect_once(backend: Backend) -> None:
    async with bench(backend, stock=5) as b:
        notes = await asyncio.gather(*(b.deliver(hold_message()) for _ in range(4)))
        assert [note.acks for note in notes] == [1, 1, 1, 1]
        assert await seller.free_stock(b.service) == 4


# ---- d ----------------------------------------------------------------------------------------


async def test_d_a_duplicate_command_is_answered_again_from_the_row(backend: Backend) -> None:
    async with bench(backend) as b:
        wire = Wire()
        await b.deliver(hold_message(attempt=1))
        await relay(b.chassis, wire).once()
        await b.deliver(hold_message(attempt=2))
        await relay(b.chassis, wire).once()
        async with b.service.db.transaction("change") as tx:
            await tx.execute(sa.update(holds).values(status="REFUSED"))
        await b.deliver(hold_message(attempt=3))
        await relay(b.chassis, wire).once()
        answers = [(m.type, m.attempt) for m in wire.published]
        assert answers == [("Held", 1), ("Held", 2), ("Refused", 3)]
        assert {m.causation_id for m in wire.published} == {hold_message().id}


async def test_d_there_is_no_answer_while_the_work_is_open(backend: Backend) -> None:
    async with bench(backend) as b:
        pay = hold_message(
            id=command_id(ORDER, "seller", "Pay"), type="Pay", data=encode(Pay(order_id=ORDER))
        )
        for attempt in (1, 2):
            assert (await b.deliver(replace(pay, attempt=attempt))).acks == 1
        assert await b.outbox() == []


# ---- e ----------------------------------------------------------------------------------------


class Flaky:
    """Fails a number of times."""

    def __init__(self, failures: int) -> None:
        self.failures, self.tries = failures, 0

    async def __call__(self, tx: Tx, command: Command[Hold]) -> None:
        self.tries += 1
        if self.tries <= self.failures:
            raise Broken
        await seller.hold(tx, command)


def failing(b_service: Service, failures: int) -> Flaky:
    flaky = Flaky(failures)
    b_service._handlers._by_key["cmd", "Hold", 1] = Handler(Hold, flaky, seller.hold_reply)
    return flaky


async def test_e_a_failing_handler_is_tried_three_times_in_process(backend: Backend) -> None:
    async with bench(backend) as b:
        flaky = failing(b.service, 2)
        assert (await b.deliver(hold_message())).acks == 1
        assert (flaky.tries, await b.outbox(), await b.dead_letters()) == (3, [("Held", 1)], [])


async def test_e_after_three_failures_it_is_a_dead_letter_and_acked(backend: Backend) -> None:
    async with bench(backend) as b:
        failing(b.service, 6)
        for attempt in (1, 2):
            assert (await b.deliver(hold_message(attempt))).acks == 1
        assert (await b.dead_letters(), await b.inbox()) == ([("Hold", 2)], 0)
        (row,) = await b.rows(dead_letters)
        assert (row.message_id, row.data) == (hold_message().id, f'{{"order_id":"{ORDER}"}}')
        assert row.error.startswith("Broken")


async def test_e_a_dead_letter_goes_when_the_id_is_handled(backend: Backend) -> None:
    async with bench(backend) as b:
        failing(b.service, 3)
        await b.deliver(hold_message(attempt=1))
        assert await b.dead_letters() == [("Hold", 1)]
        await b.deliver(hold_message(attempt=2))
        assert (await b.dead_letters(), await b.outbox()) == ([], [("Held", 2)])


async def test_e_a_message_that_kills_the_process_is_buried_unhandled(backend: Backend) -> None:
    async with bench(backend) as b:
        flaky = failing(b.service, 0)
        assert (await b.deliver(hold_message(), delivered=6)).acks == 1
        assert (flaky.tries, await b.dead_letters()) == (0, [("Hold", 1)])


async def test_e_what_was_handled_is_not_buried_when_its_acks_were_lost(backend: Backend) -> None:
    async with bench(backend) as b:
        await b.deliver(hold_message())
        assert (await b.deliver(hold_message(), delivered=6)).acks == 1
        assert await b.dead_letters() == []


async def test_e_a_failing_message_does_not_hold_up_the_others(backend: Backend) -> None:
    async with bench(backend) as b:
        bad = hold_message(data=b"not json")
        notes = await asyncio.gather(b.deliver(bad), b.deliver(hold_message(order_id=OTHER)))
        assert [note.acks for note in notes] == [1, 1]
        assert list(await seller.hold_statuses(b.service)) == [OTHER]


# ---- f ----------------------------------------------------------------------------------------


async def test_f_an_unsent_message_has_one_row_however_often_it_is_sent(backend: Backend) -> None:
    async with bench(backend) as b:
        for attempt in (1, 2, 3):
            async with b.service.db.transaction("send") as tx:
                body = Hold(order_id=ORDER)
                await outbox.command(tx, "seller", body, correlation_id=ORDER, attempt=attempt)
        assert await b.outbox() == [("Hold", 1)]


async def test_f_a_resend_has_the_same_id_and_a_new_deduplication_id(backend: Backend) -> None:
    async with bench(backend) as b:
        wire = Wire()
        for attempt in (1, 2):
            async with b.service.db.transaction("send") as tx:
                body = Hold(order_id=ORDER)
                await outbox.command(tx, "seller", body, correlation_id=ORDER, attempt=attempt)
            await relay(b.chassis, wire).once()
        assert [m.id for m in wire.published] == [command_id(ORDER, "seller", "Hold")] * 2
        assert len({m.headers()["Nats-Msg-Id"] for m in wire.published}) == 2


# ---- g ----------------------------------------------------------------------------------------


async def test_g_unknown_fields_are_ignored(backend: Backend) -> None:
    async with bench(backend) as b:
        newer = hold_message(data=f'{{"order_id": "{ORDER}", "colour": "red"}}'.encode())
        await b.deliver(newer)
        assert (await b.outbox(), await b.dead_letters()) == ([("Held", 1)], [])


@pytest.mark.parametrize("changes", [{"type": "Surprise"}, {"version": 2}], ids=["type", "version"])
async def test_g_an_unknown_type_or_version_is_a_failure_like_any_other(
    backend: Backend, changes: dict[str, object]
) -> None:
    async with bench(backend) as b:
        note = await b.deliver(hold_message(**changes))
        assert (note.acks, await b.inbox()) == (1, 0)
        assert [count for _, count in await b.dead_letters()] == [1]


# ---- i ----------------------------------------------------------------------------------------


async def test_i_a_call_inside_a_transaction_is_refused(backend: Backend) -> None:
    async with bench(backend) as b:
        client = b.service.client("bank", "http://bank")
        with pytest.raises(RuntimeError, match="use a worker"):
            async with b.service.db.transaction("handler"):
                await client.call("POST", "/charge", operation="charge")
