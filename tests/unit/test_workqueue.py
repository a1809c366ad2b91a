import asyncio
from collections.abc import Callable

import pytest
from tests.fakeclock import FakeClock, settle

from microservice_operator.workqueue import Key, Priority, WorkQueue, backoff

ORDERS, AUTH, BANK = Key("shop", "orders"), Key("shop", "auth"), Key("bank", "bank")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def make(
    clock: FakeClock, workers: int = 16, may_work: Callable[[], bool] = lambda: True
) -> WorkQueue:
    return WorkQueue(clock, workers, may_work)


async def taken(queue: WorkQueue) -> list[Key]:
    """Everything a free worker would get now."""
    keys: list[Key] = []
    while True:
        task = asyncio.ensure_future(queue.take())
        await settle()
        if not task.done():
            task.cancel()
            return keys
        keys.append(task.result())


async def test_a_burst_of_events_makes_one_pass(clock: FakeClock) -> None:
    queue = make(clock)
    for _ in range(100):
        queue.add(ORDERS, Priority.CHILD)
    assert await taken(queue) == [ORDERS]


async def test_what_happens_during_a_pass_makes_exactly_one_more(clock: FakeClock) -> None:
    queue = make(clock)
    queue.add(ORDERS, Priority.CHILD)
    assert await taken(queue) == [ORDERS]
    queue.add(ORDERS, Priority.CHILD)
    queue.add(ORDERS, Priority.CHILD)
    assert await taken(queue) == []
    queue.done(ORDERS)
    assert await taken(queue) == [ORDERS]
    queue.done(ORDERS)
    assert await taken(queue) == []


async def test_a_user_does_not_wait_for_the_first_list(clock: FakeClock) -> None:
    queue = make(clock)
    queue.add(AUTH, Priority.BULK)
    queue.add(BANK, Priority.CHILD)
    queue.add(ORDERS, Priority.USER)
    assert await taken(queue) == [ORDERS, BANK, AUTH]


async def test_a_waiting_key_moves_up_but_never_down(clock: FakeClock) -> None:
    queue = make(clock)
    queue.add(AUTH, Priority.CHILD)
    queue.add(ORDERS, Priority.BULK)
    queue.add(ORDERS, Priority.USER)
    queue.add(ORDERS, Priority.BULK)
    assert await taken(queue) == [ORDERS, AUTH]


async def test_namespaces_take_turns(clock: FakeClock) -> None:
    queue = make(clock)
    for number in range(3):
        queue.add(Key("loud", f"s{number}"), Priority.BULK)
    queue.add(Key("quiet", "s"), Priority.BULK)
    assert [key.namespace for key in await taken(queue)] == ["loud", "quiet", "loud", "loud"]


async def test_no_more_passes_run_than_there_are_workers(clock: FakeClock) -> None:
    queue = make(clock, workers=2)
    for key in (ORDERS, AUTH, BANK):
        queue.add(key, Priority.CHILD)
    first, second = await taken(queue)
    queue.done(first)
    assert len(await taken(queue)) == 1
    queue.done(second)


async def test_without_the_lease_no_key_is_taken(clock: FakeClock) -> None:
    held = False
    queue = make(clock, may_work=lambda: held)
    queue.add(ORDERS, Priority.USER)
    assert await taken(queue) == []
    held = True
    queue.poke()
    assert await taken(queue) == [ORDERS]


async def test_failures_are_tried_again_ever_more_slowly(clock: FakeClock) -> None:
    queue = make(clock)
    queue.add(ORDERS, Priority.CHILD)
    waits = []
    for _ in range(12):
        assert await taken(queue) == [ORDERS]
        waits.append(queue.failed(ORDERS, 0.1))
        assert await taken(queue) == []
        await clock.advance(waits[-1])
    assert waits[:5] == [0.5, 1, 2, 4, 8]
    assert waits[-1] == 300


async def test_a_conflict_is_tried_again_at_once_but_only_once(clock: FakeClock) -> None:
    queue = make(clock)
    queue.add(ORDERS, Priority.CHILD)
    assert await taken(queue) == [ORDERS]
    assert queue.failed(ORDERS, 0.0) == 0.0
    await clock.advance(0)
    assert await taken(queue) == [ORDERS]
    assert queue.failed(ORDERS, 0.0) == 1.0


async def test_success_forgets_failures(clock: FakeClock) -> None:
    queue = make(clock)
    queue.add(ORDERS, Priority.CHILD)
    await taken(queue)
    queue.failed(ORDERS, 0.1)
    await clock.advance(1)
    await taken(queue)
    queue.done(ORDERS)
    queue.add(ORDERS, Priority.CHILD)
    await taken(queue)
    assert queue.failed(ORDERS, 0.1) == 0.5


async def test_an_event_does_not_wait_for_a_backoff(clock: FakeClock) -> None:
    queue = make(clock)
    queue.add(ORDERS, Priority.CHILD)
    await taken(queue)
    queue.failed(ORDERS, 60)
    queue.add(ORDERS, Priority.CHILD)
    assert await taken(queue) == [ORDERS]
    queue.done(ORDERS)
    await clock.advance(600)
    assert await taken(queue) == []


async def test_the_earliest_wish_for_another_look_counts(clock: FakeClock) -> None:
    queue = make(clock)
    queue.add_after(ORDERS, 15)
    queue.add_after(ORDERS, 1)
    queue.add_after(ORDERS, 30)
    await clock.advance(1)
    assert await taken(queue) == [ORDERS]


async def test_a_conflict_with_an_edit_does_not_undercut_the_pause_between_edits(
    clock: FakeClock,
) -> None:
    queue = make(clock)
    queue.add(ORDERS, Priority.USER)
    assert await taken(queue) == [ORDERS]
    queue.add(ORDERS, Priority.USER)
    queue.failed(ORDERS, 0.0)
    await clock.advance(0.4)
    assert await taken(queue) == []
    await clock.advance(0.2)
    assert await taken(queue) == [ORDERS]


async def test_edits_of_one_object_start_passes_half_a_second_apart(clock: FakeClock) -> None:
    queue = make(clock)
    started = 0
    for _ in range(100):
        queue.add(ORDERS, Priority.USER)
        for key in await taken(queue):
            started += 1
            queue.done(key)
        await clock.advance(0.01)
    assert started == 2
    await clock.advance(0.5)
    assert await taken(queue) == [ORDERS]


async def test_child_events_in_between_do_not_undercut_that(clock: FakeClock) -> None:
    queue = make(clock)
    started = 0
    for _ in range(100):
        queue.add(ORDERS, Priority.USER)
        queue.add(ORDERS, Priority.CHILD)
        for key in await taken(queue):
            queue.add(ORDERS, Priority.USER)
            queue.add(ORDERS, Priority.CHILD)
            queue.done(key)
            started += 1
        await clock.advance(0.01)
    assert started == 2


async def test_closing_waits_for_running_passes_and_hands_out_no_more(clock: FakeClock) -> None:
    queue = make(clock)
    queue.add(ORDERS, Priority.CHILD)
    queue.add(AUTH, Priority.CHILD)
    queue.add_after(BANK, 1)
    task = asyncio.ensure_future(queue.take())
    await settle()
    closing = asyncio.ensure_future(queue.close())
    await settle()
    assert not closing.done()
    queue.done(task.result())
    await settle()
    assert closing.done()
    await closing
    await clock.advance(5)
    assert await taken(queue) == []


async def test_a_deleted_object_leaves_nothing_behind(clock: FakeClock) -> None:
    queue = make(clock)
    queue.add(ORDERS, Priority.CHILD)
    queue.add_after(ORDERS, 5)
    queue.forget(ORDERS)
    await clock.advance(10)
    assert await taken(queue) == []
    assert len(queue) == 0


async def test_ages_show_what_is_stuck(clock: FakeClock) -> None:
    queue = make(clock, workers=1)
    queue.add(ORDERS, Priority.CHILD)
    queue.add(AUTH, Priority.CHILD)
    await taken(queue)
    await clock.advance(7)
    assert (queue.oldest(), queue.longest()) == (7, 7)


def test_backoff_doubles_from_half_a_second_to_five_minutes() -> None:
    assert [backoff(n) for n in (0, 1, 2, 9, 10, 1000)] == [0.5, 1, 2, 256, 300, 300]
