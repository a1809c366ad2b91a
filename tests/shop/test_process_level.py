"""200 orders, while services, broker and database are killed with -9 again and again.

Everything is real: six processes, PostgreSQL, NATS, deadlines and leases. Which one is killed, and
when, is drawn from the seed in the test's name; the machine's timing is not.
"""

from __future__ import annotations

import asyncio
import random
import uuid
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import asyncpg
import pytest
from tests.shop.processes import NAMES, WITH_DATABASE, Processes, restart
from tests.shop.town import Town, open_broker, open_town

from shop.customer import FINAL
from shopkit.testing import NewDatabase, ServerProcess

pytestmark = pytest.mark.xdist_group("process-level")

ORDERS, MOST_ORDERS, RATE = 200, 500, 5.0
CUSTOMERS = MOST_ORDERS // 5  # nobody may have more than five open orders
MOST_UNANSWERED = 80
# Less proves nothing: so many kills, each while so many orders were under way.
KILLS, OPEN = 10, 10
SEEDS = [pytest.param(seed, marks=pytest.mark.long if seed > 1 else ()) for seed in range(1, 9)]
PAUSE = (0.2, 2.0)


@dataclass(frozen=True)
class Kind:
    """What is bought and how it is paid; `ends`: every state in which it may end."""

    ends: frozenset[str]
    sku: str = "tea"
    card: str = "tok_ok"
    cancelled: bool = False


SALE, NO_SALE = frozenset({"COMPLETED"}), frozenset({"CANCELLED"})
KINDS = (
    *[Kind(SALE)] * 6,
    Kind(SALE, card="tok_error_after_charge"),
    Kind(NO_SALE, card="tok_declined"),
    Kind(frozenset({"REJECTED"}), sku="pot"),
    Kind(SALE | NO_SALE, card="tok_slow", cancelled=True),
)


@dataclass
class Killer:
    """Kills when enough orders are under way, one at a time: the next when the last is back.

    The victims are drawn like cards, so that each has its turn before one has it again.
    """

    shop: Processes
    servers: Mapping[str, ServerProcess]
    database: str
    chance: random.Random
    kills: list[tuple[str, int]] = field(default_factory=list)

    async def run(self, enough: asyncio.Event) -> None:
        while not enough.is_set():
            for victim in self._shuffled():
                await asyncio.sleep(self.chance.uniform(*PAUSE))
                self.kills.append((victim, await self._moment()))
                await self._kill(victim)
            if self.counting() >= KILLS:
                enough.set()

    def _shuffled(self) -> list[str]:
        victims = [*NAMES, *self.servers]
        self.chance.shuffle(victims)
        return victims

    async def _moment(self) -> int:
        """How many orders are under way when enough are, or when that takes too long."""
        for _ in range(30):
            if (under_way := await self._under_way()) >= OPEN:
                break
            await asyncio.sleep(0.1)
        return under_way

    async def _kill(self, victim: str) -> None:
        if victim in self.servers:
            await asyncio.to_thread(restart, self.servers[victim])
        else:
            self.shop.kill(victim)
            self.shop.start(victim)
            await self.shop.ready(victim)

    async def _under_way(self) -> int:
        """Orders that have not ended; 0 while the database is away."""
        try:
            connection = await asyncpg.connect(self.database)
        except (OSError, asyncpg.PostgresError):
            return 0
        try:
            states = ", ".join(f"'{state}'" for state in sorted(FINAL))
            query = f"SELECT count(*) FROM sagas WHERE state NOT IN ({states})"
            return int(await connection.fetchval(query))
        finally:
            await connection.close()

    def counting(self) -> int:
        return sum(under_way >= OPEN for _, under_way in self.kills)


@pytest.mark.parametrize("seed", SEEDS)
async def test_orders_survive_kills_of_services_broker_and_database(
    tmp_path: Path, new_postgres: NewDatabase, postgres_server: ServerProcess, seed: int
) -> None:
    urls = {name: await new_postgres() for name in WITH_DATABASE}
    with open_broker(tmp_path) as nats:
        async with open_town(Processes(tmp_path, urls, nats.port)) as town:
            servers = {"PostgreSQL": postgres_server, "NATS": nats}
            database = urls["orders"].replace("+asyncpg", "")
            killer = Killer(town.shop, servers, database, random.Random(seed))
            placed = await under_load(town, killer)
            said = f"seed {seed}, kills and orders under way: {killer.kills}"
            ended = {order_id: await town.ends(order_id) for order_id in placed}
            scan = ("--record", str(town.record), "--scan", str(tmp_path / "logs"))
            code, verdict = await town.shop.audit("--settle", "60", *scan)
    assert code == 0, f"{verdict}\n{said}"
    assert f"over {len(placed)} orders" in verdict, f"{verdict}\n{said}"
    assert wrong(placed, ended) == [], said
    assert killer.counting() >= KILLS, f"void: fewer than {KILLS} kills counted; {said}"
    print(said)


async def under_load(town: Town, killer: Killer) -> dict[str, Kind]:
    """Orders arrive at their rate, whatever the shop does, until there were enough kills."""
    users = [str(uuid.uuid4()) for _ in range(CUSTOMERS)]
    enough, placed = asyncio.Event(), dict[str, Kind]()
    turns = asyncio.Semaphore(MOST_UNANSWERED)
    async with asyncio.TaskGroup() as group:
        group.create_task(killer.run(enough))
        for number in range(MOST_ORDERS):
            if number >= ORDERS and enough.is_set():
                break
            await turns.acquire()
            kind = KINDS[number % len(KINDS)]
            placing = group.create_task(_place(town, users[number % CUSTOMERS], kind, placed))
            placing.add_done_callback(lambda _: turns.release())
            await asyncio.sleep(1 / RATE)
        enough.set()
    return placed


async def _place(town: Town, user: str, kind: Kind, placed: dict[str, Kind]) -> None:
    """What comes too late to be cancelled is sold; what does not must not be."""
    order_id = await town.buy(user, kind.sku, kind.card)
    if kind.cancelled:
        kind = replace(kind, ends=NO_SALE if await town.cancel(order_id) else SALE)
    placed[order_id] = kind


def wrong(placed: Mapping[str, Kind], ended: Mapping[str, str]) -> list[str]:
    return [
        f"order {id} of {kind} is {ended[id]}"
        for id, kind in placed.items()
        if ended[id] not in kind.ends
    ]


def test_the_kinds_of_orders_end_in_every_way() -> None:
    assert Counter(state for kind in KINDS for state in kind.ends).keys() == FINAL
