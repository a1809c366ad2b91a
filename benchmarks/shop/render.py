"""docs/performance-shop.md and its plot, from the results; nothing in them is typed by hand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.plot import plot
from benchmarks.render import DOCS, Value, median, shown
from benchmarks.results import Result
from benchmarks.shop import targets
from benchmarks.shop.rig import EMBEDDED, SEPARATE
from benchmarks.shop.scenarios import ALL
from benchmarks.shop.targets import at

PAGE, PLOT = DOCS / "performance-shop.md", DOCS / "images" / "performance-shop.svg"
PANELS = ("POST /orders, p99 ms", "order to CONFIRMED, p99 ms")
STAGES = {SEPARATE: "six processes, PostgreSQL, NATS", EMBEDDED: "one process, SQLite"}
HEAD = """\
# Performance of the shop

How many customers the demonstration shop serves on one small machine, how long they wait, and what happens to them while a service is
dead. This page is written by `make bench-report` from the raw results in [benchmarks/results](../benchmarks/results);
`make bench-shop` measures them anew, `shop load` loads any shop of yours.
"""
EMPTY = """
There are no results yet: `make bench-shop` on a quiet machine makes them.
"""
HOW = """
## How it was measured
Everything runs on one machine: the services, PostgreSQL with `fsync` and NATS with `sync_interval: always` on a disk, and the generator, a
process of its own. A run begins with a new shop and a short warm-up. Arrivals come at their rate, whether or not earlier ones were
answered, and every time is counted from the moment the arrival was due, so a checkout's POST /orders includes its quote. *CONFIRMED* and
*ended* are the stamps of the order's own timeline, counted from when the order was placed, plus the whole time until its answer.
A rate is *held* when it was reached in every run, no request failed and every order ended. After each run with orders `shop audit` looks at
everything; a run that is not clean stops the benchmark. Memory is the highest that each process ever had. A killed service (`kill -9`) is
started again at once; its *first work* is the first step of an order, or the first answer, by the new process. Figures are medians, with
least and most in brackets; runs that a busy machine or the generator itself has spoilt are in the results, and not in the tables.
"""
SPREADS = ("p50", "p99")


def _function(name: str, which: str) -> Value:
    return at("load", "functions", name, "ms", which)


def _cpu_each(run: dict[str, Any], _: int) -> float | None:
    arrivals = run["load"]["arrivals"]
    return 1000 * sum(run["cpu_s"].values()) / arrivals if arrivals else None


def _failed(run: dict[str, Any], _: int) -> float:
    return float(sum(run["load"]["failures"].values()))


GENERATOR: list[tuple[str, Value]] = [
    ("generator, cores", at("load", "generator", "cpu")),
    ("late p99, ms", at("load", "generator", "late_p99_ms")),
]
CHECKOUTS: list[tuple[str, Value]] = [
    ("reached", at("load", "reached")),
    ("POST /orders p50 ms", _function("order", "p50")),
    ("p99 ms", _function("order", "p99")),
    ("CONFIRMED p50 ms", at("load", "orders", "confirmed_ms", "p50")),
    ("p99 ms ", at("load", "orders", "confirmed_ms", "p99")),
    ("all ended after, s", at("load", "orders", "drained_after_s")),
    ("failed", _failed),
    ("CPU each, ms", _cpu_each),
    *GENERATOR,
]
KILLS: list[tuple[str, Value]] = [
    ("ready again, s", at("down_s")),
    ("first work, s", at("progress_s")),
    ("all orders ended, s", at("settled_s")),
    ("orders that waited", at("orders_that_waited")),
    ("failed, its own functions", at("failed_own")),
    ("failed, all others", at("failed_others")),
]


def write(found: Sequence[Result]) -> list[Path]:
    PAGE.write_text(page(found))
    if not (bars := _bars(found)):
        return [PAGE]
    PLOT.parent.mkdir(parents=True, exist_ok=True)
    PLOT.write_text(plot(bars, *PANELS))
    return [PAGE, PLOT]


def page(found: Sequence[Result]) -> str:
    useful = [result for result in found if result.valid]
    if not useful:
        return HEAD + EMPTY + HOW + _void(found)
    picture = "\n![Waiting times by rate](images/performance-shop.svg)\n" if _bars(useful) else ""
    return "".join(
        (HEAD, picture, _targets(useful), *_tables(useful), HOW, _with(useful), _void(found))
    )


def _targets(found: Sequence[Result]) -> str:
    lines = ["\n## Targets", "| | floor | stretch | measured | |", "|---|---|---|---|---|"]
    for target in targets.ALL:
        measured = target.measure(found)
        told, verdict = (
            (measured[1], target.verdict(measured[0])) if measured else ("", "not measured")
        )
        floor = "" if target.floor is None else f"{target.floor:g}"
        lines.append(f"| {target.title} | {floor} | {target.stretch:g} | {told} | {verdict} |")
    return "\n".join(lines) + "\n"


def _tables(found: Sequence[Result]) -> Iterator[str]:
    for stage, words in STAGES.items():
        rows = [r for r in found if r.scenario == "checkouts" and r.contestant == stage]
        yield _table(f"Checkouts: {words}", "a second", CHECKOUTS, [(f"{r.n}", r) for r in rows])
    single = [(function, r) for r in found if (function := _single(r))]
    requests = [(f"{function}, {r.n} a second{_tagged(r)}", r) for function, r in single]
    columns = [
        ("reached", at("load", "reached")),
        *_spreads(single),
        ("failed", _failed),
        *GENERATOR,
    ]
    yield _table("Lists and logins", "", columns, requests)
    starts = [("start to ready", r) for r in found if r.scenario == "start"]
    ready: list[tuple[str, Value]] = [
        (name, at("ready_s", name)) for name in (starts[0][1].valid[0]["ready_s"] if starts else ())
    ]
    yield _table("Start, in seconds", "", ready, starts)
    kills = [(r.scenario.removeprefix("kill "), r) for r in found if r.scenario.startswith("kill ")]
    yield _table("One service killed under load", "killed", KILLS, kills)


def _single(result: Result) -> str:
    return {"products": "products", "products-304": "products", "logins": "login"}.get(
        result.scenario, ""
    )


def _tagged(result: Result) -> str:
    return ", unchanged (304)" if result.scenario == "products-304" else ""


def _spreads(single: Sequence[tuple[str, Result]]) -> list[tuple[str, Value]]:
    """Each row is about one function, whichever it is."""

    def of(which: str) -> Value:
        def find(run: dict[str, Any], n: int) -> float | None:
            names = dict.fromkeys(function for function, _ in single)
            found = (_function(name, which)(run, n) for name in names)
            return next((value for value in found if value is not None), None)

        return find

    return [(f"{which} ms", of(which)) for which in SPREADS]


def _table(
    title: str,
    first: str,
    columns: Sequence[tuple[str, Value]],
    rows: Sequence[tuple[str, Result]],
) -> str:
    if not rows:
        return ""
    used = [column for column in columns if any(shown(r, column[1]) for _, r in rows)]
    lines = [f"\n## {title}", f"| {first} | runs | " + " | ".join(c[0] for c in used) + " |"]
    lines.append("|---" * (len(used) + 2) + "|")
    for name, result in sorted(rows, key=lambda row: _place(row[1])):
        cells = " | ".join(shown(result, value) for _, value in used)
        lines.append(f"| {name} | {len(result.valid)} | {cells} |")
    return "\n".join(lines) + "\n"


def _place(result: Result) -> int:
    keys = [(s.name, s.n, s.stage) for s in ALL]
    here = (result.scenario, result.n, result.contestant)
    return keys.index(here) if here in keys else len(keys)


def _bars(found: Sequence[Result]) -> list[tuple[str, float, float]]:
    """Rate, and what a customer waits at it."""
    rows = sorted((r for r in found if r.scenario == "checkouts" and r.valid), key=_place)
    return [
        (f"{r.n}/s{', SQLite' if r.contestant == EMBEDDED else ''}", post, confirmed)
        for r in rows
        if (post := median(r, _function("order", "p99"))) is not None
        and (confirmed := median(r, at("load", "orders", "confirmed_ms", "p99"))) is not None
    ]


def _with(found: Sequence[Result]) -> str:
    one = found[0]
    machine, flags = one.machine, one.flags
    settings = {**flags["postgresql.conf"], **flags["settings"]}
    audits = [run["audit"] for r in found for run in r.valid if "audit" in run]
    clean = sum(audit == "clean" for audit in audits)
    lines = [
        "\n## With what",
        f"- {machine['cores']} cores of {machine['cpu']}, Linux {machine['kernel']}, {flags['filesystem']}",
        f"- Python {flags['python']}; {flags['postgresql']}; {flags['nats']}",
        f"- settings: {', '.join(f'`{key}={value}`' for key, value in settings.items())}",
        f"- commits {', '.join(sorted({result.commit for result in found}))}; "
        f"checkouts for {flags['seconds']:g} s; {clean} of {len(audits)} audits clean",
    ]
    return "\n".join(lines) + "\n\n```sh\nmake bench-shop\n```\n"


def _void(found: Sequence[Result]) -> str:
    lines = [
        f"- {result.scenario}, {result.n}, {STAGES.get(result.contestant, result.contestant)}: {run['void']}"
        for result in found
        for run in result.runs
        if run["void"]
    ]
    return "\n## Runs that do not count\n" + "\n".join(lines) + "\n" if lines else ""
