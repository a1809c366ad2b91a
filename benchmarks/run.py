"""The runs: contestants interleaved, each time in a fresh cluster, results kept as they come."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import os
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from benchmarks import conditions, meters, results, rig, scenarios
from benchmarks.api import Api
from benchmarks.bench import Bench, Options, Record
from benchmarks.contestants import Contestant
from benchmarks.load import PLATFORM, SPEC, accept_routes
from benchmarks.rig import Rig
from benchmarks.scenarios import Scenario
from benchmarks.world import Feed
from e2e.cluster import golang, programs, versions
from e2e.cluster.errors import Problem
from e2e.cluster.progress import progress
from e2e.cluster.settings import REPOSITORY, Settings

LINE = 2**22  # bytes; one event of the observer is far below
USUAL = {"S1": "1 to 3 min", "S4": "1 min", "S5": "5 min", "S6": "1 min", "S7": "1 min"}


@dataclass(frozen=True)
class Wish:
    """What was asked for on the command line."""

    scenarios: Sequence[Scenario]
    contestants: Sequence[Contestant]
    sizes: Sequence[int]
    runs: int
    options: Options
    folder: Path
    allow_noise: bool
    keep: bool


def run(settings: Settings, wish: Wish) -> Path:
    """The file with the results."""
    noise = conditions.quiet_enough(allow_noise=wish.allow_noise)
    file = wish.folder / f"{datetime.date.today()}-{conditions.commit()}.json"
    for size in wish.sizes:
        for number in range(1, wish.runs + 1):
            for contestant in wish.contestants:
                title = f"{contestant.name}, {size} services, run {number} of {wish.runs}"
                fresh = rig.fresh(settings, keep=wish.keep)
                with progress.step(title), fresh as made, _plain_errors():
                    asyncio.run(_measure(made, contestant, size, wish, noise, file))
    return file


@contextlib.contextmanager
def _plain_errors() -> Iterator[None]:
    """The first cause of what went wrong, instead of a group of groups."""
    try:
        yield
    except Exception as error:
        cause = _first(error)
        if isinstance(cause, Problem):
            raise cause from None
        message = f"the run broke off: {type(cause).__name__}: {cause}"
        raise Problem(message, remedy="see the logs in .run/bench") from cause


def _first(error: BaseException) -> BaseException:
    return _first(error.exceptions[0]) if isinstance(error, BaseExceptionGroup) else error


async def _measure(
    made: Rig, contestant: Contestant, size: int, wish: Wish, noise: str | None, file: Path
) -> None:
    async with _furnished(made, contestant, size, wish.options) as bench:
        with progress.step("warm-up", "30 s"):
            await scenarios.warm_up(bench)
        for scenario in _in_order(wish.scenarios, contestant):
            with progress.step(f"{scenario.name}: {scenario.title}", USUAL.get(scenario.name, "")):
                record = await scenario.run(bench)
            record["void"] = "; ".join(r for r in (noise, record["void"]) if r) or None
            if scenario in wish.scenarios:
                results.add(file, _result(scenario, contestant, size, record))
            _tell(scenario, record, size)


def _in_order(wanted: Sequence[Scenario], contestant: Contestant) -> list[Scenario]:
    """All begin with the services that S1 has made, whether or not it is to be kept."""
    chosen = [s for s in scenarios.ALL.values() if s in wanted or s.name == "S1"]
    return [s for s in chosen if contestant.operates or s.floor]


@contextlib.asynccontextmanager
async def _furnished(
    made: Rig, contestant: Contestant, size: int, options: Options
) -> AsyncIterator[Bench]:
    """Observer, gateway, load and contestant, ended in this order's reverse."""
    container = made.container()
    async with contextlib.AsyncExitStack() as stack:
        api = await stack.enter_async_context(Api.of(made.kubeconfig("load"), "load"))
        gateway = await stack.enter_async_context(Api.of(made.kubeconfig("gateway"), "gateway"))
        process = await asyncio.to_thread(contestant.launch, made)
        stack.callback(process.stop)
        observer = await _observer(made, contestant)
        stack.callback(_end, observer)
        assert observer.stdout is not None
        feed = Feed(observer.stdout)
        async with asyncio.TaskGroup() as beside:
            tasks = [
                beside.create_task(feed.run(orjson.loads)),
                beside.create_task(accept_routes(gateway)),
                beside.create_task(process.watched()),
            ]
            if not await feed.until(lambda: feed.listening, 30.0):
                raise Problem("the observer did not start", log=made.folder / "observer.log")
            yield Bench(made, contestant, process, api, feed, size, options, container)
            for task in tasks:
                task.cancel()


async def _observer(made: Rig, contestant: Contestant) -> asyncio.subprocess.Process:
    kind = contestant.kind
    with (made.folder / "observer.log").open("ab") as log:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "benchmarks.observe", str(made.kubeconfig("observer"))),
            *(kind.api_version, kind.kind, kind.plural),
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
            cwd=REPOSITORY,
            limit=LINE,
            start_new_session=True,
        )


def _end(observer: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        observer.terminate()


def _result(
    scenario: Scenario, contestant: Contestant, size: int, record: Record
) -> results.Result:
    machine = meters.machine() | {"steal": record.pop("steal")}
    flags: dict[str, Any] = {
        "contestant": dict(contestant.flags),
        "kubernetes": versions.KUBERNETES,
        "kwok": versions.KWOK,
        "etcd": "on tmpfs",
        "spec": SPEC,
        "platform": PLATFORM,
    }
    return results.Result(
        scenario=scenario.name,
        n=size,
        contestant=contestant.name,
        version=contestant.version,
        runs=[record],
        machine=machine,
        flags=flags,
        commit=conditions.commit(),
    )


def _tell(scenario: Scenario, record: Record, size: int) -> None:
    count = sum(record["requests"].values())
    line = f"{scenario.name}: {count / size:.2f} requests a service"
    for key in ("converged_s", "ready_s", "gone_s"):
        if record.get(key) is not None:
            line += f", {key.removesuffix('_s')} after {record[key]:.1f} s"
    line += f", CPU {record['cpu_operator_s']:.2f} s"
    progress.say(line + (f"; void: {record['void']}" if record["void"] else ""))


def build(settings: Settings) -> list[Path]:
    """What is compiled before anything can be measured."""
    os.environ.setdefault("GOFLAGS", "-p=1")
    return [golang.build(settings, program) for program in (programs.KWOK, programs.KRO)]
