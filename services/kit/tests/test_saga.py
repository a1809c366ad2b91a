"""The engine with the time in the test's hand (SQLite takes the injected clock)."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa
from services.kit.tests.chassis import ORDER
from services.kit.tests.conftest import Embedded
from services.kit.tests.toy import buyer
from services.kit.tests.toy.buyer import Cancel
from services.kit.tests.toy.messages import Held, Paid, Refused, Released
from services.kit.tests.toy.world import Backend

from shopkit.app import Service, World
from shopkit.clock import ManualClock
from shopkit.engine import SagaEngine
from shopkit.ids import SeededIds
from shopkit.saga import Schedule, UnknownSaga
from shopkit.schema import outbox, sagas

START = datetime(2026, 1, 1, tzinfo=UTC)


class Owner:
    """The toy buyer without its tasks: the test ticks."""

    def __init__(self, service: Service, clock: ManualClock) -> None:
        self.service, self.clock = service, clock
        self.engine: SagaEngine = service.app.state.engine

    async def tell(self, message: object) -> None:
        await buyer.tell(self.service, ORDER, message)

    async def row(self) -> sa.Row[Any]:
        async with self.service.db.read() as tx:
            row = await tx.one(sa.select(sagas))
        assert row is not None
        return row

    async def sent(self) -> list[tuple[str, int]]:
        """What waits in the outbox, which is emptied as a relay would."""
        async with self.service.db.transaction("relayed") as tx:
            rows = await tx.all(sa.select(outbox))
            await tx.execute(sa.delete(outbox))
        return [(row.type, row.attempt) for row in rows]

    async def wait(self, seconds: float) -> int:
        self.clock.advance(seconds)
        return await self.engine.tick()


@pytest.fixture
async def owner(embedded: Embedded) -> AsyncIterator[Owner]:
    clock = ManualClock(START)
    settings = (await embedded.settings("buyer")).model_copy(
        update={"resend_first": 3, "resend_max": 60, "saga_deadline": 900, "saga_lease": 5}
    )
    service = buyer.create_app(settings, World(clock=clock, ids=SeededIds(1, clock)))
    await service.db.open()
    await service.migrate()
    await buyer.buy(service, ORDER)
    yield Owner(service, clock)
    await service.db.close()


def test_the_resend_interval_doubles_up_to_its_limit() -> None:
    middle = [Schedule(3, 60).after(attempt, 0.5) for attempt in range(1, 8)]
    assert middle == [3, 6, 12, 24, 48, 60, 60]


def test_the_resend_interval_is_spread_by_a_fifth() -> None:
    assert Schedule(10, 60).after(1, 0.0) == pytest.approx(8)
    assert Schedule(10, 60).after(1, 0.999999) == pytest.approx(12, abs=0.01)


async def test_a_start_writes_saga_and_first_command(owner: Owner) -> None:
    row = await owner.row()
    assert (row.state, row.pending_type, row.attempt) == ("WAITING", "Hold", 1)
    assert (row.deadline_at - START).total_seconds() == 900
    assert await owner.sent() == [("Hold", 1)]


async def test_a_pending_command_is_sent_again_until_it_is_answered(owner: Owner) -> None:
    await owner.sent()
    assert await owner.wait(2) == 0
    assert await owner.wait(2) == 1
    assert await owner.sent() == [("Hold", 2)]
    await owner.wait(4)
    assert await owner.sent() == []
    await owner.wait(4)
    assert await owner.sent() == [("Hold", 3)]
    await owner.tell(Refused(order_id=ORDER))
    assert await owner.wait(100) == 0
    assert await owner.sent() == []


async def test_an_answer_moves_the_saga_and_sends_the_next_command(owner: Owner) -> None:
    await owner.sent()
    await owner.tell(Held(order_id=ORDER))
    row = await owner.row()
    assert (row.state, row.pending_type, row.attempt, row.version) == ("PAYING", "Pay", 1, 2)
    assert await owner.sent() == [("Pay", 1)]


async def test_an_answer_that_changes_nothing_is_recorded_and_ignored(owner: Owner) -> None:
    await owner.tell(Paid(order_id=ORDER))
    assert (await owner.row()).version == 1
    assert await buyer.events(owner.service, ORDER) == [("Paid", None)]


async def test_a_final_state_has_no_command_and_no_deadline(owner: Owner) -> None:
    await owner.tell(Held(order_id=ORDER))
    await owner.tell(Paid(order_id=ORDER))
    row = await owner.row()
    assert (row.state, row.pending_type, row.next_attempt_at, row.deadline_at) == (
        "DONE",
        None,
        None,
        None,
    )
    assert row.data == {"paid": True}


async def test_the_deadline_is_told_once(owner: Owner) -> None:
    await owner.wait(901)
    assert (await owner.row()).state == "RELEASING"
    await owner.wait(901)
    assert (await buyer.events(owner.service, ORDER)).count(("Deadline", "RELEASING")) == 1


async def test_an_ignored_deadline_does_not_stop_the_resends(owner: Owner) -> None:
    await owner.tell(Held(order_id=ORDER))
    await owner.wait(901)
    await owner.sent()
    await owner.wait(61)
    assert await owner.sent() == [("Pay", 2)]


async def test_a_cancelled_saga_releases_until_it_is_answered(owner: Owner) -> None:
    await owner.sent()
    await owner.tell(Cancel())
    assert await owner.sent() == [("Release", 1)]
    await owner.tell(Held(order_id=ORDER))
    await owner.tell(Released(order_id=ORDER))
    assert (await owner.row()).state == "CANCELLED"


async def test_an_unknown_saga_is_an_error(owner: Owner) -> None:
    with pytest.raises(UnknownSaga):
        await buyer.tell(owner.service, ORDER[:-1] + "9", Cancel())


async def test_a_leased_saga_is_left_alone_until_the_lease_ends(owner: Owner) -> None:
    await owner.sent()
    owner.clock.advance(4)
    async with owner.service.db.transaction("other_replica") as tx:
        assert await owner.engine._lease(tx, "other") == [ORDER]
    assert await owner.engine.tick() == 0
    assert await owner.wait(6) == 1
    assert await owner.sent() == [("Hold", 2)]


async def test_a_saga_that_cannot_be_moved_does_not_hold_up_the_others(owner: Owner) -> None:
    other = ORDER[:-1] + "2"
    await buyer.buy(owner.service, other)
    await owner.sent()
    async with owner.service.db.transaction("corrupt") as tx:
        broken = {"pending_target": None}
        await tx.execute(sa.update(sagas).where(sagas.c.id == ORDER).values(broken))
    assert await owner.wait(4) == 2
    assert await owner.sent() == [("Hold", 2)]


async def test_two_replicas_send_a_due_command_once(backend: Backend) -> None:
    """Both tick at the same moment, on the database's own clock."""
    settings = (await backend.settings("buyer")).model_copy(
        update={"resend_first": 1e-6, "resend_max": 1e-6, "saga_lease": 30}
    )
    service = buyer.create_app(settings, World())
    await service.db.open()
    try:
        await service.migrate()
        orders = [f"0197f0c2-0000-7000-8000-{n:012d}" for n in range(20)]
        for order in orders:
            await buyer.buy(service, order)
        engine: SagaEngine = service.app.state.engine
        async with service.db.transaction("one") as tx:
            first = await engine._lease(tx, "one")
        async with service.db.transaction("two") as tx:
            second = await engine._lease(tx, "two")
        assert (sorted(first), second) == (orders, [])
    finally:
        await service.db.close()
