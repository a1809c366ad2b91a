"""The shop's results: what counts, what is met, and the page that is made of them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from benchmarks import results
from benchmarks.results import Result
from benchmarks.shop import kills, render, rig, scenarios, targets
from benchmarks.shop.rig import EMBEDDED, SEPARATE
from benchmarks.shop.run import PREFIX
from benchmarks.shop.targets import Target
from e2e.cluster.errors import Problem

from shopkit.testing import missing

GENERATOR = {"cpu": 0.25, "late_p99_ms": 1.5, "not_sent": 0, "warning": ""}
FLAGS = {
    "python": "3.11",
    "postgresql": "postgres 15",
    "nats": "nats-server: v2",
    "filesystem": "ext4",
    "settings": {"RATE_LIMIT": 1},
    "postgresql.conf": {"max_connections": "200"},
    "seconds": 60.0,
}


def function(p99: float, *, service: str = "orders", failed: int = 0) -> dict[str, Any]:
    spread = {"p50": p99 / 2, "p99": p99, "max": p99}
    counts = {"count": 100, "failed": failed, "longest_gap_s": 0.1}
    return {"service": service, "ms": spread, "alone_ms": spread, **counts}


def load(reached: float, **functions: dict[str, Any]) -> dict[str, Any]:
    return {
        "arrivals": 100,
        "reached": reached,
        "functions": functions,
        "failures": {},
        "generator": GENERATOR,
    }


def checkouts(
    n: int = 30, *, stage: str = SEPARATE, reached: float | None = None, **changes: Any
) -> Result:
    figures = load(n if reached is None else reached, order=function(90.0))
    spread = {"p50": 120.0, "p99": 700.0, "max": 900.0}
    figures["orders"] = {"unfinished": 0, "confirmed_ms": spread, "drained_after_s": 0.5}
    run = {
        "load": figures,
        "cpu_s": {"orders": 1.0, "postgresql": 0.5},
        "memory_mb": dict.fromkeys(targets.COUNTED, 80.0),
        "audit": "clean",
        "void": None,
    }
    return result("checkouts", n, run | changes, stage)


def killed(victim: str, progress: float, *, others: int = 0) -> Result:
    run = {"progress_s": progress, "settled_s": 9.0, "failed_others": others, "void": None}
    return result(f"kill {victim}", 10, run)


def result(scenario: str, n: int, run: dict[str, Any], stage: str = SEPARATE) -> Result:
    machine = {"cpu": "x", "cores": 2, "kernel": "6"}
    return Result(scenario, n, stage, "0.1", [run], machine, FLAGS, "abc")


def measured(title: str, *found: Result) -> tuple[str, str]:
    """Shown value and verdict of a line of the table of targets."""
    lines = [line for line in render.page(found).splitlines() if line.startswith(f"| {title}")]
    (cells,) = (line.strip("| ").split(" | ") for line in lines)
    return cells[-2], cells[-1]


CHECKOUTS = "checkouts a second, PostgreSQL"


@pytest.mark.parametrize(
    ("found", "told"),
    [
        ((checkouts(20), checkouts(30)), ("30", "floor met")),
        ((checkouts(30), checkouts(40)), ("40", "stretch met")),
        ((checkouts(20), checkouts(30, reached=28.0)), ("20", "**missed**")),
        ((checkouts(40, stage=EMBEDDED), checkouts(20)), ("20", "**missed**")),
        ((checkouts(20, reached=1.0),), ("none", "**missed**")),
    ],
)
def test_the_highest_rate_that_was_held_is_judged(
    found: tuple[Result, ...], told: tuple[str, str]
) -> None:
    assert measured(CHECKOUTS, *found) == told


def spoilt(**changes: Any) -> Result:
    one = checkouts()
    (run,) = one.runs
    figures = run["load"] | changes
    return replace(one, runs=[run, run | {"load": figures}])


@pytest.mark.parametrize(
    "one",
    [
        spoilt(failures={"order: timed out": 1}),
        spoilt(reached=29.0),
        checkouts(audit="I1 order 1: charged twice"),
        spoilt(orders=checkouts().runs[0]["load"]["orders"] | {"unfinished": 1}),
    ],
)
def test_one_failure_one_order_without_an_end_or_one_slow_run_and_a_rate_is_not_held(
    one: Result,
) -> None:
    assert targets.held(checkouts())
    assert not targets.held(one)


@pytest.mark.parametrize(
    ("value", "verdict"), [(50, "stretch met"), (100, "floor met"), (100.01, "**missed**")]
)
def test_a_bound_itself_is_still_within(value: float, verdict: str) -> None:
    assert Target("t", 100, 50, lambda _: None).verdict(value) == verdict


def test_the_worst_service_is_judged_and_one_foreign_failure_is_too_many() -> None:
    found = [killed("auth", 1.0), killed("orders", 4.0, others=2)]
    assert measured("a service killed", *found) == ("4.00 (orders)", "floor met")
    assert measured("failed requests of the other", *found) == ("2.00 (orders)", "**missed**")


def test_memory_is_the_sum_of_five_processes() -> None:
    assert measured("memory of", checkouts()) == ("400.00", "floor met")
    lacking = checkouts(memory_mb={"auth": 80.0})
    assert measured("memory of", lacking) == ("", "not measured")


def test_what_was_not_measured_is_not_met() -> None:
    assert measured("logins", checkouts()) == ("", "not measured")


def test_failures_belong_to_the_service_whose_function_failed() -> None:
    functions = {
        "quote": function(1.0, service="catalog", failed=7),
        "order": function(1.0, service="orders", failed=2),
        "cart": function(1.0, service="orders", failed=1),
    }
    assert kills.failed(load(1.0, **functions), "catalog") == {"failed_own": 7, "failed_others": 3}
    assert kills.failed(load(1.0, **functions), "bank") == {"failed_own": 0, "failed_others": 10}


def test_a_void_run_is_published_but_counts_for_nothing() -> None:
    one = checkouts()
    (run,) = one.runs
    loud = run | {"void": "make (pid 7) took 90% of a core", "load": load(1.0)}
    page = render.page([replace(one, runs=[run, loud])])
    assert "make (pid 7) took 90% of a core" in page
    assert measured(CHECKOUTS, replace(one, runs=[run, loud])) == ("30", "floor met")
    assert "There are no results yet" in render.page([replace(one, runs=[loud])])


def test_costs_and_waits_are_in_the_table_with_least_and_most() -> None:
    one = checkouts()
    (run,) = one.runs
    slower = run | {"cpu_s": {"orders": 4.0, "postgresql": 0.5}}
    page = render.page([replace(one, runs=[run, slower])])
    (row,) = [line for line in page.splitlines() if line.startswith("| 30 | 2 |")]
    assert "| 90.00 |" in row
    assert "30.00 (15.00 to 45.00)" in row


def test_the_operators_results_and_the_shops_are_read_apart(tmp_path: Path) -> None:
    results.add(tmp_path / f"{PREFIX}2026-01-01-abc.json", checkouts())
    results.add(tmp_path / "2026-01-01-abc.json", replace(checkouts(), scenario="S1"))
    assert [r.scenario for r in results.newest(tmp_path)] == ["S1"]
    assert [r.scenario for r in results.newest(tmp_path, PREFIX)] == ["checkouts"]


def test_a_disk_in_memory_is_refused_because_nothing_there_is_durable() -> None:
    if not Path("/dev/shm").is_mount():
        missing("no file system in memory here")
    with pytest.raises(Problem, match="in memory"):
        rig.filesystem(Path("/dev/shm"))


def test_a_trial_measures_something_of_every_shop() -> None:
    trial = [scenario for scenario in scenarios.ALL if scenario.in_trial]
    assert {s.stage for s in trial} == {SEPARATE, EMBEDDED}
    places = [(s.name, s.n, s.stage) for s in scenarios.ALL]
    assert len(set(places)) == len(places)


def test_the_page_is_that_of_the_newest_results() -> None:
    found = results.newest(prefix=PREFIX)
    assert render.PAGE.read_text() == render.page(found), "run `make bench-report`"
