"""docs/performance.md and its plot, from the results; nothing in them is typed by hand."""

from __future__ import annotations

import re
import statistics
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks import audit, scenarios
from benchmarks.plot import plot
from benchmarks.results import Result

DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGE, PLOT = DOCS / "performance.md", DOCS / "images" / "performance.svg"
PANELS = ("requests for each service", "own CPU for each service, ms")
ORDER = ("ours", "floor", "kro", "kro-tuned")
Value = Callable[[dict[str, Any], int], float | None]
HEAD = """\
# Performance

What one MicroService with seven children costs: the operator, a bare client that sends what every operator must send and decides
nothing (the floor), and kro, as its chart ships it and tuned. This page is written by `make bench-report` from the raw results in
[benchmarks/results](../benchmarks/results); `make bench` measures them anew.
"""
EMPTY = """
There are no results yet: `make bench` on a quiet machine makes them.
"""
HOW = """
## How it was measured
A fresh one-node cluster for each run, etcd in memory, ten simulated nodes (kwok), controllers without client limits, contestants
interleaved, ten services as warm-up. Each talks to the API server under an account of its own, and its requests are counted in the
audit log, without watches and without its Lease. A service has *converged* when one observer has seen all seven children with the
wanted image and owner; it is *ready* when its own condition says so for its generation. Times begin when the first request of the
load is sent. Figures are medians, with least and most in brackets; runs that a busy machine has spoilt are in the results, and not in
the tables.
"""


def write(found: Sequence[Result]) -> list[Path]:
    PAGE.write_text(page(found))
    if _bars(found):
        PLOT.parent.mkdir(parents=True, exist_ok=True)
        PLOT.write_text(plot(_bars(found), *PANELS))
        return [PAGE, PLOT]
    return [PAGE]


def page(found: Sequence[Result]) -> str:
    useful = [result for result in found if result.valid]
    if not useful:
        return HEAD + EMPTY + HOW
    picture = "\n![Requests and processor time](images/performance.svg)\n" if _bars(found) else ""
    tables = "".join(_section(scenario, useful) for scenario in scenarios.ALL.values())
    return HEAD + picture + tables + HOW + _conditions(useful) + _void(found)


def unmeasured(readme: str, measured: str) -> set[str]:
    """The numbers between the marks of a README that are not on the page of results."""
    parts = re.findall(r"<!-- measured -->(.*?)<!-- /measured -->", readme, re.DOTALL)
    return numbers("".join(parts)) - numbers(measured)


def numbers(text: str) -> set[str]:
    """Each number of a text as it is written, thousands without their comma."""
    return set(re.findall(r"\d+(?:\.\d+)?", re.sub(r"(?<=\d),(?=\d{3})", "", text)))


def _section(scenario: scenarios.Scenario, found: Sequence[Result]) -> str:
    chosen = [result for result in found if result.scenario == scenario.name]
    if not chosen:
        return ""
    columns = [c for c in COLUMNS[scenario.name] if any(shown(r, c[1]) for r in chosen)]
    lines = [f"\n## {scenario.name}: {scenario.title}"]
    lines.append("| services | contestant | runs | " + " | ".join(c[0] for c in columns) + " |")
    lines.append("|---" * (len(columns) + 3) + "|")
    for result in sorted(chosen, key=lambda r: (r.n, _rank(r))):
        cells = [shown(result, value) or "" for _, value in columns]
        head = f"| {result.n:,} | {result.contestant} {result.version} | {len(result.valid)} | "
        lines.append(head + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n" + _beside_the_floor(scenario, chosen)


def _beside_the_floor(scenario: scenarios.Scenario, found: Sequence[Result]) -> str:
    """How much longer than the floor of the same runs."""
    lines = []
    for n in sorted({result.n for result in found}):
        times = {r.contestant: median(r, key("converged_s")) for r in found if r.n == n}
        if floor := times.get("floor"):
            others = [
                f"{name} {time / floor:.2f}"
                for name, time in times.items()
                if time is not None and name != "floor"
            ]
            if others:
                lines.append(f"Converged at {n:,} services, floor = 1: {', '.join(others)}.")
    return "\n" + "  \n".join(lines) + "\n" if lines else ""


def median(result: Result, value: Value) -> float | None:
    measured = values(result, value)
    return statistics.median(measured) if measured else None


def values(result: Result, value: Value) -> list[float]:
    found = (value(run, result.n) for run in result.valid)
    return [number for number in found if number is not None]


def shown(result: Result, value: Value) -> str:
    measured = values(result, value)
    if not measured:
        return ""
    middle = f"{statistics.median(measured):.2f}"
    if len(measured) == 1 or min(measured) == max(measured):
        return middle
    return f"{middle} ({min(measured):.2f} to {max(measured):.2f})"


def key(name: str) -> Value:
    return lambda run, _: run.get(name)


def _each(name: str) -> Value:
    """Requests for each service."""
    return lambda run, n: sum(run[name].values()) / n if name in run else None


def _milliseconds(name: str) -> Value:
    return lambda run, n: run[name] * 1000 / n


def _share(name: str) -> Value:
    """Of one core, in percent."""
    return lambda run, _: run[name] * 100 / run["seconds"] if run["seconds"] else None


def _writes(run: dict[str, Any], _: int) -> float:
    return audit.writes(run["requests"])


def _part(part: str, value: Value) -> Value:
    return lambda run, n: value(run["parts"][part], n) if part in run.get("parts", {}) else None


def _latency(which: str) -> Value:
    return lambda run, _: run.get("latency_ms", {}).get(which)


def _per_act(run: dict[str, Any], n: int) -> float | None:
    return _writes(run, n) / float(run["acts"]) if run.get("acts") else None


def _per_second(run: dict[str, Any], n: int) -> float:
    return _writes(run, n) / float(run["seconds"])


COST: list[tuple[str, Value]] = [
    ("requests each, until ready", _each("requests_until_ready")),
    ("requests each, in all", _each("requests")),
    ("converged, s", key("converged_s")),
    ("ready, s", key("ready_s")),
    ("to converged, p50 ms", _latency("p50")),
    ("p99 ms", _latency("p99")),
    ("own CPU each, ms", _milliseconds("cpu_operator_s")),
    ("API server and etcd each, ms", _milliseconds("cpu_apiserver_s")),
    ("peak memory, MB", key("rss_peak_mb")),
]
COLUMNS: dict[str, list[tuple[str, Value]]] = {
    "S1": COST,
    "S3": COST,
    "S4": [
        ("writes, applied again", _part("reapply", _writes)),
        ("writes, label touched", _part("touch", _writes)),
        ("writes, status events", _part("status", _writes)),
        ("% of a core during status events", _part("status", _share("cpu_operator_s"))),
    ],
    "S5": [
        ("requests", lambda run, _: sum(run["requests"].values())),
        ("% of a core", _share("cpu_operator_s")),
        ("memory after it, MB", key("rss_mb")),
    ],
    "S6": [
        ("SIGTERM: canary after, s", _part("SIGTERM", key("reaction_s"))),
        ("writes", _part("SIGTERM", _writes)),
        ("SIGKILL: canary after, s", _part("SIGKILL", key("reaction_s"))),
        ("writes ", _part("SIGKILL", _writes)),
        ("peak memory, MB", key("rss_peak_mb")),
    ],
    "S7": [
        ("edited: p50 ms", _part("edit", _latency("p50"))),
        ("p99 ms", _part("edit", _latency("p99"))),
        ("writes for each", _part("edit", _per_act)),
        ("deleted: p50 ms", _part("delete", _latency("p50"))),
        ("p99 ms ", _part("delete", _latency("p99"))),
        ("writes for each ", _part("delete", _per_act)),
        ("writes a second, fought over", _part("fight", _per_second)),
    ],
    "S8": [
        ("writes", _writes),
        ("made again", key("recreated")),
        ("all gone, s", key("gone_s")),
        ("own CPU each, ms", _milliseconds("cpu_operator_s")),
    ],
}


def _rank(result: Result) -> int:
    return ORDER.index(result.contestant) if result.contestant in ORDER else len(ORDER)


def _bars(found: Sequence[Result]) -> list[tuple[str, float, float]]:
    """Contestant, requests and CPU for each service of S1, at the smallest size of all."""
    first = [r for r in found if r.scenario == "S1" and r.valid]
    n = min((result.n for result in first), default=0)
    return [
        (result.contestant, requests, cpu)
        for result in sorted(first, key=_rank)
        if result.n == n
        and (requests := median(result, _each("requests"))) is not None
        and (cpu := median(result, _milliseconds("cpu_operator_s"))) is not None
    ]


def _conditions(found: Sequence[Result]) -> str:
    one = found[0]
    machine, flags = one.machine, one.flags
    lines = [
        "\n## With what",
        f"- {machine['cores']} cores of {machine['cpu']}, Linux {machine['kernel']}",
        f"- Kubernetes {flags['kubernetes']}, kwok {flags['kwok']}, etcd {flags['etcd']}",
        f"- commits {', '.join(sorted({result.commit for result in found}))}",
    ]
    for name in ORDER:
        result = next((r for r in found if r.contestant == name), None)
        if result:
            given = result.flags["contestant"].items()
            words = ", ".join(f"`{key}={value}`" for key, value in given)
            lines.append(f"- {name} {result.version}: {words}")
    sizes = sorted({f"--n {result.n}" for result in found})
    commands = "\n".join(f"python -m benchmarks run {size}" for size in sizes)
    return "\n".join(lines) + f"\n\n```sh\n{commands}\n```\n"


def _void(found: Sequence[Result]) -> str:
    reasons = [f"- {line}" for line in _void_runs(found)]
    return "\n## Runs that do not count\n" + "\n".join(reasons) + "\n" if reasons else ""


def _void_runs(found: Sequence[Result]) -> Iterator[str]:
    for result in found:
        for run in result.runs:
            if run["void"]:
                yield f"{result.scenario}, {result.contestant}, {result.n}: {run['void']}"
