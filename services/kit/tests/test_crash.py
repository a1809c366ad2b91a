"""The toy saga survives a crash at every point, and a network that does what it likes."""

import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from services.kit.tests.conftest import Embedded
from services.kit.tests.toy import buyer, seller
from services.kit.tests.toy.buyer import Cancel
from services.kit.tests.toy.world import Toys, toys

from shopkit.app import World
from shopkit.auth import Signer
from shopkit.clock import SystemClock
from shopkit.errors import Unavailable
from shopkit.faults import Crash
from shopkit.ids import SystemIds
from shopkit.messages import Message
from shopkit.testing import until
from shopkit.transport.memory import MemoryBroker

STEPS = {
    "buyer": {
        "commit": "buy held paid relay_take relay_sent",
        "publish": "hold pay",
        "ack": "held paid",
    },
    "seller": {
        "commit": "hold pay settle relay_take relay_sent",
        "publish": "held paid",
        "ack": "hold pay",
        "call": "charge",
    },
}
POINTS = [
    f"{service}.{step}.{moment}_{effect}"
    for service, effects in STEPS.items()
    for effect, steps in effects.items()
    for step in steps.split()
    for moment in ("before", "after")
]
SIDE_PATHS = ("dead_letter", "restock", "migrate", "saga_lease", "saga_tick", "clean")

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("kit-crash")]
IDS = SystemIds(SystemClock())


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def toy(tmp_path_factory: pytest.TempPathFactory, keys: Signer) -> AsyncIterator[Toys]:
    folder: Path = tmp_path_factory.mktemp("crash")
    # What is waited for after a crash is waited for some eighty times here.
    soon = {"relay_lease": 0.1, "ack_wait": 0.2, "resend_first": 0.1, "resend_max": 0.4}
    async with toys(Embedded(folder, keys), stock=1000, **soon) as both:
        yield both


async def bought(toy: Toys, id: str) -> None:
    """Buys as a client with retries would; the purchase may have been committed all the same."""
    while True:
        try:
            if await buyer.state(toy.buyer, id) is None:
                await buyer.buy(toy.buyer, id)
            return
        except (Crash, Unavailable):
            await toy.recovered()


async def audit(toy: Toys, id: str) -> None:
    """Charged once, held once, told once."""
    assert id in toy.bank.charged
    assert (await seller.hold_statuses(toy.seller))[id] == "HELD"
    moves = [event for event in await buyer.events(toy.buyer, id) if event[1]]
    assert moves == [("Held", "PAYING"), ("Paid", "DONE")]


async def test_the_list_of_points_is_complete(toy: Toys) -> None:
    id = IDS.uuid7()
    await bought(toy, id)
    await toy.reaches(id, "DONE")
    await audit(toy, id)
    side = tuple(f".{name}." for name in SIDE_PATHS)
    seen = {name for name in toy.world.points.seen if not any(part in name for part in side)}
    assert seen == set(POINTS)


@pytest.mark.parametrize("hit", [1, 2])
@pytest.mark.parametrize("point", POINTS)
async def test_a_crash_at_this_point_loses_and_doubles_nothing(
    toy: Toys, point: str, hit: int
) -> None:
    toy.world.points.fired.clear()
    toy.world.points.arm(point, hit)
    ids = [IDS.uuid7() for _ in range(hit)]
    for id in ids:
        await bought(toy, id)
    await until(lambda: toy.world.points.fired == [point], 10)
    for id in ids:
        await toy.reaches(id, "DONE", 10)
        await audit(toy, id)
    free = await seller.free_stock(toy.seller)
    assert free == 1000 - len(await seller.hold_statuses(toy.seller))


class Weather:
    """A network that loses, doubles and reorders."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.calm = False

    def copies(self, message: Message) -> int:
        return 1 if self.calm else self.random.choice((0, 1, 1, 2, 3))

    def pick(self, waiting: int) -> int:
        return self.random.randrange(waiting)


@pytest.mark.parametrize("seed", range(4))
async def test_lost_doubled_and_reordered_messages_change_nothing(
    tmp_path: Path, keys: Signer, seed: int
) -> None:
    weather = Weather(seed)
    broker = MemoryBroker(SystemClock(), copies=weather.copies, pick=weather.pick)
    async with toys(Embedded(tmp_path, keys), stock=4, world=World(broker=broker)) as toy:
        ids = [IDS.uuid7() for _ in range(6)]
        for id in ids:
            await bought(toy, id)
        await cancelled(toy, ids[0])
        states = await at_rest(toy, ids)
        paid = {id for id, state in states.items() if state == "DONE"}
        held = await seller.hold_statuses(toy.seller)
        assert toy.bank.charged == paid
        assert {id for id, status in held.items() if status == "HELD"} == paid
        assert await seller.free_stock(toy.seller) == 4 - len(paid)
        assert len(paid) in (3, 4)


async def cancelled(toy: Toys, id: str) -> None:
    await buyer.tell(toy.buyer, id, Cancel())


async def at_rest(toy: Toys, ids: list[str]) -> dict[str, str]:
    final = buyer.Purchase.final
    states: dict[str, str] = {}

    async def all_final() -> bool:
        states.update({id: str(await buyer.state(toy.buyer, id)) for id in ids})
        return set(states.values()) <= final

    await until(all_final, 20)
    return states
