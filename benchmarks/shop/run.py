"""The runs: a fresh shop for each, results kept as they come."""

from __future__ import annotations

import asyncio
import datetime
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from benchmarks import conditions, meters, results
from benchmarks.results import Result
from benchmarks.shop import rig, scenarios
from benchmarks.shop.rig import EMBEDDED, SEPARATE
from benchmarks.shop.scenarios import Length, Record, Scenario
from e2e.cluster import command
from e2e.cluster.errors import Problem
from e2e.cluster.progress import progress
from e2e.cluster.settings import REPOSITORY

from shopkit import testing

PREFIX = "shop-"
STAGES = {SEPARATE: rig.separate, EMBEDDED: rig.embedded}
TRIAL = Length(checkouts=10.0, requests=5.0, killed=15.0)
TRIAL_FOLDER = REPOSITORY / ".run" / "bench-shop"


@dataclass(frozen=True)
class Wish:
    """What was asked for on the command line; `data`: where the databases are."""

    scenarios: Sequence[Scenario]
    runs: int
    length: Length
    folder: Path
    data: Path
    allow_noise: bool


def run(wish: Wish) -> Path:
    """The file with the results; raises Problem when an audit was not clean."""
    rig.check()
    disk = rig.filesystem(wish.data.resolve())
    noise = conditions.quiet_enough(allow_noise=wish.allow_noise)
    file = wish.folder / f"{PREFIX}{datetime.date.today()}-{conditions.commit()}.json"
    flags = _flags(wish, disk)
    for number in range(1, wish.runs + 1):
        for stage in STAGES:
            if chosen := [scenario for scenario in wish.scenarios if scenario.stage == stage]:
                with progress.step(f"{stage}, run {number} of {wish.runs}"):
                    asyncio.run(_measure(stage, chosen, wish, noise, file, flags))
    return file


async def _measure(
    stage: str,
    chosen: Sequence[Scenario],
    wish: Wish,
    noise: str | None,
    file: Path,
    flags: dict[str, Any],
) -> None:
    async with STAGES[stage](wish.data) as made:
        with progress.step("warm-up"):
            await scenarios.warm_up(made)
        for scenario in chosen:
            title = f"{scenario.name}, {scenario.n} a second" if scenario.n else scenario.name
            with progress.step(title):
                record = await scenario.run(made, wish.length)
            record["void"] = "; ".join(r for r in (noise, record["void"]) if r) or None
            results.add(file, _result(scenario, record, flags))
            progress.say(told(record))
            _check_audit(scenario, record, file)


def told(record: Record) -> str:
    """One line of a run for whoever waits."""
    parts = []
    if load := record.get("load"):
        parts.append(f"{load['reached']} a second")
        parts += [f"{name} p99 {f['ms']['p99']} ms" for name, f in _answered(load).items()]
        parts += [f"{count} x {kind}" for kind, count in load["failures"].items()]
        parts.append(f"generator {load['generator']['cpu']:.0%}")
    for key in ("slowest_s", "progress_s", "settled_s", "failed_others", "audit"):
        if key in record:
            parts.append(f"{key} {record[key]}")
    return "; ".join(parts) + (f"; void: {record['void']}" if record["void"] else "")


def _answered(load: dict[str, Any]) -> dict[str, Any]:
    return {name: f for name, f in load["functions"].items() if f["ms"]}


def _result(scenario: Scenario, record: Record, flags: dict[str, Any]) -> Result:
    machine = meters.machine() | {"steal": record.pop("steal")}
    return Result(
        scenario=scenario.name,
        n=scenario.n,
        contestant=scenario.stage,
        version=metadata.version("shop"),
        runs=[record],
        machine=machine,
        flags=flags,
        commit=conditions.commit(),
    )


def _flags(wish: Wish, disk: str) -> dict[str, Any]:
    postgres = (testing.postgres_binaries() or Path()) / "postgres"
    return {
        "python": platform.python_version(),
        "postgresql": command.answer(postgres, "--version"),
        "nats": command.answer(testing.nats_binary() or "", "--version"),
        "filesystem": disk,
        "settings": dict(rig.SETTINGS),
        "postgresql.conf": dict(rig.POSTGRES),
        "seconds": wish.length.checkouts,
    }


def _check_audit(scenario: Scenario, record: Record, file: Path) -> None:
    """A fast shop that loses an order is no result."""
    if record.get("audit", "clean") != "clean":
        raise Problem(
            f"{scenario.name}, {scenario.n}: the audit is not clean: {record['audit']}",
            remedy=f"see {file}; nothing here counts before that is understood",
        )
