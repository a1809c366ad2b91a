"""Results, the page made from them, and the numbers that people are told."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from benchmarks import render, results, scenarios
from benchmarks.results import Result
from benchmarks.shop import render as shop_render
from benchmarks.shop.run import PREFIX

REPOSITORY = Path(__file__).parents[2]
RUN: dict[str, Any] = {
    "requests": {"patch deployments 201": 700, "patch microservices/status 200": 200},
    "requests_until_ready": {"patch deployments 201": 700, "patch microservices/status 200": 190},
    "converged_s": 12.5,
    "ready_s": 14.0,
    "cpu_operator_s": 0.81,
    "cpu_apiserver_s": 9.0,
    "rss_peak_mb": 61.0,
    "seconds": 14.0,
    "void": None,
}


def result(contestant: str = "ours", **changes: Any) -> Result:
    flags = {"contestant": {"a": "b"}, "kubernetes": "v1", "kwok": "v0", "etcd": "on tmpfs"}
    return Result(
        scenario="S1",
        n=100,
        contestant=contestant,
        version="0.1",
        runs=[RUN | changes],
        machine={"cpu": "x", "cores": 2, "kernel": "6"},
        flags=flags,
        commit="abc",
    )


def test_a_further_run_joins_those_of_the_same_contestant(tmp_path: Path) -> None:
    file = tmp_path / "2026-01-01-abc.json"
    for found in (result(converged_s=1.0), result("floor"), result(converged_s=2.0)):
        results.add(file, found)
    read = {r.contestant: [run["converged_s"] for run in r.runs] for r in results.read(file)}
    assert read == {"ours": [1.0, 2.0], "floor": [12.5]}


def test_the_newest_file_that_has_a_result_wins(tmp_path: Path) -> None:
    results.add(tmp_path / "2026-01-01-abc.json", result(converged_s=1.0))
    results.add(tmp_path / "2026-01-01-abc.json", result("floor"))
    results.add(tmp_path / "2026-02-01-def.json", result(converged_s=2.0))
    found = {r.contestant: r.runs[0]["converged_s"] for r in results.newest(tmp_path)}
    assert found == {"ours": 2.0, "floor": 12.5}


def test_the_page_shows_medians_for_each_service_and_the_floor_beside_them() -> None:
    page = render.page([result(), result("floor", converged_s=10.0)])
    (row,) = [line for line in page.splitlines() if line.startswith("| 100 | ours")]
    assert row.split(" | ")[3:] == [
        *("8.90", "9.00", "12.50", "14.00"),
        *("8.10", "90.00", "61.00 |"),
    ]
    assert "floor = 1: ours 1.25." in page


def test_several_runs_are_shown_with_least_and_most() -> None:
    three = [RUN | {"converged_s": at} for at in (3.0, 1.0, 2.0)]
    assert "2.00 (1.00 to 3.00)" in render.page([replace(result(), runs=three)])


def test_a_void_run_is_published_but_counts_for_nothing() -> None:
    runs = [RUN, RUN | {"converged_s": 99.0, "void": "make (pid 7) took 90% of a core"}]
    page = render.page([replace(result(), runs=runs)])
    assert "99.00" not in page
    assert "make (pid 7) took 90% of a core" in page


def test_without_a_valid_run_there_is_no_table() -> None:
    assert "There are no results yet" in render.page([result(void="loud")])


def test_every_scenario_has_columns() -> None:
    assert render.COLUMNS.keys() == scenarios.ALL.keys()


@pytest.mark.parametrize(
    ("told", "unknown"),
    [
        ("<!-- measured -->8.90 requests, 100 services<!-- /measured -->", set()),
        ("<!-- measured -->8.91 requests<!-- /measured -->", {"8.91"}),
        ("8.91 requests", set()),
    ],
)
def test_a_number_that_nobody_measured_is_found(told: str, unknown: set[str]) -> None:
    assert render.unmeasured(told, render.page([result()])) == unknown


def test_the_readme_tells_only_numbers_of_the_newest_results() -> None:
    readme = (REPOSITORY / "README.md").read_text()
    pages = (render.page(results.newest()), shop_render.page(results.newest(prefix=PREFIX)))
    assert render.unmeasured(readme, "".join(pages)) == set()


def test_the_page_is_that_of_the_newest_results() -> None:
    assert render.PAGE.read_text() == render.page(results.newest()), "run `make bench-report`"
