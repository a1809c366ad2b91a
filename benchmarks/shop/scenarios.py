"""What is measured of the shop; each gives the record of one run."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.shop import kills, rig
from benchmarks.shop.loading import Loading
from benchmarks.shop.rig import EMBEDDED, SEPARATE, Stage
from benchmarks.shop.window import Window

from shop.load.open_loop import MOST_CPU
from shop.processes import NAMES

Record = dict[str, Any]
LOOK = 0.02  # seconds between two looks at whether a process is ready
LADDER, EMBEDDED_LADDER = (20, 30, 40), (15, 20)


@dataclass(frozen=True)
class Length:
    """Seconds of a load."""

    checkouts: float = 60.0
    requests: float = 20.0
    killed: float = 30.0


@dataclass(frozen=True)
class Scenario:
    """`stage`: of which shop; `n`: the rate, or 0."""

    name: str
    stage: str
    n: int
    run: Callable[[Stage, Length], Awaitable[Record]]
    in_trial: bool = True

    @property
    def group(self) -> str:
        return self.name.partition(" ")[0]


async def warm_up(stage: Stage) -> None:
    """Pools, caches and statement plans; kept out of all figures."""
    load = await Loading.start(stage, "checkouts", rate=5, seconds=5, more=("--restock",))
    await load.figures()


def _loaded(mode: str, rate: int, *more: str) -> Callable[[Stage, Length], Awaitable[Record]]:
    async def run(stage: Stage, length: Length) -> Record:
        seconds = length.checkouts if mode == "checkouts" else length.requests
        loading = await Loading.start(stage, mode, rate=rate, seconds=seconds, more=more)
        window = Window(stage)
        figures = await loading.figures()
        record = {"load": figures, **window.close()}
        if (cpu := figures["generator"]["cpu"]) > MOST_CPU:
            reason = f"the generator took {cpu:.0%} of a core"
            record["void"] = "; ".join(r for r in (record["void"], reason) if r)
        if "orders" in figures:
            record["audit"] = await rig.audited(stage)
        return record

    return run


async def start(stage: Stage, _: Length) -> Record:
    """Each service alone, killed before: from its start to the first 200 of /readyz."""
    processes, window, took = stage.processes, Window(stage), dict[str, float]()
    assert processes is not None
    for name in NAMES:
        processes.kill(name)
        began = time.monotonic()
        processes.start(name)
        await processes.ready(name, LOOK)
        took[name] = round(time.monotonic() - began, 2)
    return {"ready_s": took, "slowest_s": max(took.values()), **window.close()}


def _killed(victim: str) -> Callable[[Stage, Length], Awaitable[Record]]:
    async def run(stage: Stage, length: Length) -> Record:
        window = Window(stage)
        record = await kills.killed(stage, victim, length.killed)
        return {**record, **window.close(), "audit": await rig.audited(stage)}

    return run


RESTOCK = "--restock"
ALL: Sequence[Scenario] = (
    Scenario("start", SEPARATE, 0, start),
    Scenario("products", SEPARATE, 800, _loaded("products", 800)),
    Scenario("products-304", SEPARATE, 2000, _loaded("products", 2000, "--etag"), in_trial=False),
    Scenario("logins", SEPARATE, 30, _loaded("logins", 30)),
    Scenario("logins", SEPARATE, 45, _loaded("logins", 45), in_trial=False),
    *(
        Scenario("checkouts", SEPARATE, n, _loaded("checkouts", n, RESTOCK), in_trial=n < 40)
        for n in LADDER
    ),
    *(
        Scenario(f"kill {name}", SEPARATE, 10, _killed(name), in_trial=name == "catalog")
        for name in NAMES
    ),
    *(
        Scenario("checkouts", EMBEDDED, n, _loaded("checkouts", n, RESTOCK), in_trial=n < 20)
        for n in EMBEDDED_LADDER
    ),
)
GROUPS = tuple(dict.fromkeys(scenario.group for scenario in ALL))
