"""The product list's cache: one rendering for all who ask for the same list at the same time."""

import asyncio
from datetime import UTC, datetime

import pytest

from catalog.cache import ListCache
from catalog.listing import Listing
from shopkit.clock import ManualClock


class Kitchen:
    """Renders when it is told to."""

    def __init__(self) -> None:
        self.begun, self.ready = 0, asyncio.Event()

    async def render(self) -> bytes:
        self.begun += 1
        await self.ready.wait()
        return f"list {self.begun}".encode()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(datetime(2026, 1, 1, tzinfo=UTC))


async def test_a_hundred_who_ask_at_once_for_an_expired_list_cost_one_rendering(
    clock: ManualClock,
) -> None:
    cache, kitchen = ListCache(clock, 2), Kitchen()
    asking = [asyncio.create_task(cache.get(Listing(), kitchen.render)) for _ in range(100)]
    await asyncio.sleep(0)
    kitchen.ready.set()
    answers = await asyncio.gather(*asking)
    assert kitchen.begun == 1
    assert {answer.body for answer in answers} == {b"list 1"}
    clock.advance(2)
    assert (await cache.get(Listing(), kitchen.render)).body == b"list 2"


async def test_other_lists_do_not_wait_for_it(clock: ManualClock) -> None:
    cache, slow, quick = ListCache(clock, 2), Kitchen(), Kitchen()
    quick.ready.set()
    waiting = asyncio.create_task(cache.get(Listing(), slow.render))
    await asyncio.sleep(0)
    assert (await cache.get(Listing(q="tea"), quick.render)).body == b"list 1"
    slow.ready.set()
    await waiting


async def test_whoever_leaves_takes_the_list_from_nobody(clock: ManualClock) -> None:
    cache, kitchen = ListCache(clock, 2), Kitchen()
    first = asyncio.create_task(cache.get(Listing(), kitchen.render))
    await asyncio.sleep(0)
    second = asyncio.create_task(cache.get(Listing(), kitchen.render))
    await asyncio.sleep(0)
    first.cancel()
    kitchen.ready.set()
    assert (await second).body == b"list 1"
    assert first.cancelled()


async def test_a_rendering_that_failed_is_not_kept(clock: ManualClock) -> None:
    cache, kitchen = ListCache(clock, 2), Kitchen()
    kitchen.ready.set()

    async def broken() -> bytes:
        raise OSError("the database is away")

    with pytest.raises(OSError, match="away"):
        await cache.get(Listing(), broken)
    assert (await cache.get(Listing(), kitchen.render)).body == b"list 1"
