"""What the shop is to reach on two cores: floor and stretch, and whether it does."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from benchmarks.render import Value, median, shown, values
from benchmarks.results import Result
from benchmarks.shop.rig import EMBEDDED, SEPARATE

RATE = 30  # at which times and memory are judged
ENOUGH = 0.98  # of the rate that was asked for: the last answers come after the last arrival
COUNTED = ("auth", "catalog", "orders", "payments", "nats")
Found = Sequence[Result]
Measured = tuple[float, str]  # what is judged, and what is shown


@dataclass(frozen=True)
class Target:
    """`stretch` and `floor` are bounds from above where `at_most`; None: there is none."""

    title: str
    floor: float | None
    stretch: float
    measure: Callable[[Found], Measured | None]
    at_most: bool = True

    def verdict(self, value: float) -> str:
        if self._holds(value, self.stretch):
            return "stretch met"
        if self.floor is None or self._holds(value, self.floor):
            return "floor met" if self.floor is not None else "not met"
        return "**missed**"

    def _holds(self, value: float, bound: float) -> bool:
        return value <= bound if self.at_most else value >= bound


def at(*path: str) -> Value:
    """A number inside a run; None where it is not there."""

    def find(run: object, _: int) -> float | None:
        for name in path:
            run = run.get(name) if isinstance(run, dict) else None
        return float(run) if isinstance(run, int | float) else None

    return find


def memory(run: dict[str, object], _: int) -> float | None:
    found = [at("memory_mb", name)(run, 0) for name in COUNTED]
    known = [value for value in found if value is not None]
    return sum(known) if len(known) == len(COUNTED) else None


def held(result: Result) -> bool:
    """Reached in every valid run; nothing failed, all orders ended, the audit is clean."""
    return bool(result.valid) and all(
        run["load"]["reached"] >= ENOUGH * result.n
        and not run["load"]["failures"]
        and not run["load"].get("orders", {}).get("unfinished", 0)
        and run.get("audit", "clean") == "clean"
        for run in result.valid
    )


def _of(found: Found, scenario: str, stage: str = SEPARATE) -> list[Result]:
    return [r for r in found if r.scenario == scenario and r.contestant == stage and r.valid]


def _rate(scenario: str, stage: str = SEPARATE) -> Callable[[Found], Measured | None]:
    """The highest rate that was held."""

    def measure(found: Found) -> Measured | None:
        tried = _of(found, scenario, stage)
        rate = max((r.n for r in tried if held(r)), default=0)
        return (rate, str(rate) if rate else "none") if tried else None

    return measure


def _median(
    scenario: str, value: Value, n: int | None = None
) -> Callable[[Found], Measured | None]:
    def measure(found: Found) -> Measured | None:
        for result in _of(found, scenario):
            middle = median(result, value)
            if middle is not None and n in (None, result.n):
                return middle, shown(result, value)
        return None

    return measure


def _kills(
    value: Value, judge: Callable[[Iterable[float]], float]
) -> Callable[[Found], Measured | None]:
    """The worst of all services; `judge` makes one number of the runs of one of them."""

    def measure(found: Found) -> Measured | None:
        killed = [r for r in found if r.scenario.startswith("kill ") and r.valid]
        worst = {r.scenario[5:]: judge(v) for r in killed if (v := values(r, value))}
        if not worst:
            return None
        name = max(worst, key=lambda victim: worst[victim])
        return worst[name], f"{worst[name]:.2f} ({name})"

    return measure


ORDER_P99 = at("load", "functions", "order", "ms", "p99")
LIST_P99 = at("load", "functions", "products", "ms", "p99")
CONFIRMED = ("load", "orders", "confirmed_ms")
ALL: Sequence[Target] = (
    Target("checkouts a second, PostgreSQL and NATS", 30, 40, _rate("checkouts"), at_most=False),
    Target(
        f"POST /orders at {RATE} a second, p99 ms", 100, 50, _median("checkouts", ORDER_P99, RATE)
    ),
    Target(
        "order to CONFIRMED, p50 ms", 150, 80, _median("checkouts", at(*CONFIRMED, "p50"), RATE)
    ),
    Target(
        "order to CONFIRMED, p99 ms", 800, 400, _median("checkouts", at(*CONFIRMED, "p99"), RATE)
    ),
    Target(
        "checkouts a second, one process, SQLite FULL",
        15,
        20,
        _rate("checkouts", EMBEDDED),
        at_most=False,
    ),
    Target("product lists a second of one process", 800, 800, _rate("products"), at_most=False),
    Target("product list, p99 ms", 30, 30, _median("products", LIST_P99)),
    Target("unchanged lists (304) a second", None, 2000, _rate("products-304"), at_most=False),
    Target("logins a second", 30, 45, _rate("logins"), at_most=False),
    Target(
        "a service killed: its first work again, s",
        5,
        2,
        _kills(at("progress_s"), statistics.median),
    ),
    Target("every order of that time ended, s", 15, 5, _kills(at("settled_s"), statistics.median)),
    Target("failed requests of the other services", 0, 0, _kills(at("failed_others"), max)),
    Target(
        "memory of auth, catalog, orders, payments and NATS, MB",
        500,
        350,
        _median("checkouts", memory, RATE),
    ),
    Target("start to ready, the slowest service, s", 3, 1.5, _median("start", at("slowest_s"))),
)
