"""One service is killed under load and started again at once: what fails, and for how long?"""

from __future__ import annotations

import asyncio
import datetime
import time
from collections.abc import Mapping, Sequence
from typing import Any

import asyncpg  # type: ignore[import-untyped]
from benchmarks.shop.loading import Figures, Loading
from benchmarks.shop.rig import Stage

RATE = 10
BEFORE = 1 / 3  # of the load
LOOK = 0.02
# Between two services at the moment of the kill; a new process needs longer to start.
UNDER_WAY = 0.3
# What an order's timeline tells of a service's work; orders writes all of it.
WORK: Mapping[str, Sequence[str]] = {
    "catalog": ("StockReserved", "StockCommitted"),
    "orders": ("PLACED", "StockReserved", "Charged", "StockCommitted"),
    "payments": ("Charged",),
    "bank": ("Charged",),
}
# Of the others: what a customer sees of them.
SEEN: Mapping[str, str] = {"auth": "login", "storefront": "page"}
FIRST_WORK = "SELECT min(at) FROM timeline WHERE at >= $1 AND event = ANY($2) AND detail = ''"
WAITED = """
SELECT max(updated_at), count(*), count(*) FILTER (WHERE state NOT IN
  ('COMPLETED', 'CANCELLED', 'REJECTED'))
FROM orders WHERE created_at <= $2 AND updated_at >= $1"""


async def killed(stage: Stage, victim: str, seconds: float) -> dict[str, Any]:
    """Times in seconds after the kill."""
    load = await Loading.start(stage, "functions", rate=RATE, seconds=seconds, more=("--restock",))
    await asyncio.sleep(BEFORE * seconds)
    processes = stage.processes
    assert processes is not None
    at, began = _now(), time.monotonic()
    processes.kill(victim)
    processes.start(victim)
    await processes.ready(victim, LOOK)
    down, back = time.monotonic() - began, _now()
    figures = await load.figures()
    settled, waited, stuck = await _waited(stage, at, back)
    return {
        "load": figures,
        "down_s": round(down, 2),
        "progress_s": await _progress(stage, victim, at, figures),
        "settled_s": settled,
        "orders_that_waited": waited,
        "orders_stuck": stuck,
        **failed(figures, victim),
    }


def failed(figures: Figures, victim: str) -> dict[str, int]:
    """Requests that failed, of the killed service's functions and of all others."""
    counts = {"failed_own": 0, "failed_others": 0}
    for function in figures["functions"].values():
        own = function["service"] == victim
        counts["failed_own" if own else "failed_others"] += function["failed"]
    return counts


async def _progress(
    stage: Stage, victim: str, at: datetime.datetime, figures: Figures
) -> float | None:
    """The first work of the new process; None when there was none."""
    if victim in SEEN:
        return float(figures["functions"][SEEN[victim]]["longest_gap_s"])
    # A kill of orders leaves nobody who could write of what was under way.
    waits = datetime.timedelta(seconds=0.0 if victim == "orders" else UNDER_WAY)
    (first,) = await _asked(stage, FIRST_WORK, at + waits, list(WORK[victim]))
    return None if first is None else round((first - at).total_seconds(), 2)


async def _waited(
    stage: Stage, at: datetime.datetime, back: datetime.datetime
) -> tuple[float | None, int, int]:
    """Of the orders placed before the service was back that were not over at the kill: when the
    last ended, how many there are, and how many have not ended."""
    last, count, stuck = await _asked(stage, WAITED, at, back)
    settled = None if last is None or stuck else round((last - at).total_seconds(), 2)
    return settled, int(count), int(stuck)


async def _asked(stage: Stage, query: str, *values: object) -> Sequence[Any]:
    connection = await asyncpg.connect(stage.database)
    try:
        return tuple(await connection.fetchrow(query, *values))
    finally:
        await connection.close()


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)
