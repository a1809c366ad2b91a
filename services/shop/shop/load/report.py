"""The figures of a load, as JSON and for a person."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from shop import terminal
from shop.load.figures import Spread, longest_gap, spread
from shop.load.open_loop import Run
from shop.load.orders import Book
from shop.load.plan import Plan
from shop.load.tally import SERVICE_OF, Tally

Figures = dict[str, Any]


@dataclass(frozen=True)
class Loaded:
    """A load that is over."""

    mode: str
    main: str
    plan: Plan
    run: Run
    tally: Tally
    book: Book

    @property
    def spotless(self) -> bool:
        return not self.tally.failures() and not self.book.unfinished()


def figures(load: Loaded) -> Figures:
    """Times in milliseconds where the name says so, else seconds; `cpu` in cores."""
    plan, run = load.plan, load.run
    found: Figures = {
        "mode": load.mode,
        "rate": plan.rate,
        "seconds": plan.seconds,
        "arrivals": len(run.lates),
        "interrupted": run.interrupted,
        "reached": round(_reached(load), 2),
        "functions": {name: _function(load, name) for name in load.tally.functions()},
        "failures": load.tally.failures(),
        "generator": {
            "cpu": round(run.cpu, 3),
            "late_p99_ms": round(1000 * run.late_p99, 2),
            "not_sent": run.shed,
            "warning": run.warning(),
        },
    }
    return found | ({"orders": _orders(load)} if load.book.promises else {})


def _reached(load: Loaded) -> float:
    """Successes a second, until the last of them."""
    done = [o.answered for o in load.tally.of(load.main) if not o.failure]
    # The last arrival has its interval too.
    last = load.run.began + load.plan.due(len(load.run.lates))
    return len(done) / (max(*done, last) - load.run.began) if done else 0.0


def _function(load: Loaded, name: str) -> Figures:
    outcomes = list(load.tally.of(name))
    good = [outcome for outcome in outcomes if not outcome.failure]
    gap = longest_gap((o.answered for o in good), load.run.began, load.run.ended)
    return {
        "service": SERVICE_OF[name],
        "count": len(outcomes),
        "failed": len(outcomes) - len(good),
        "unchanged": sum(outcome.unchanged for outcome in good),
        "ms": spread(o.answered - o.due for o in good),
        "alone_ms": spread(o.answered - o.sent for o in good),
        "longest_gap_s": round(gap, 3),
    }


def _orders(load: Loaded) -> Figures:
    book, ends = load.book, [end for _, end in load.book.ended()]
    last = load.run.began + load.plan.due(max(0, len(load.run.lates) - 1))
    unfinished = len(book.unfinished())
    return {
        "accepted": len(book.promises),
        "ended": dict(Counter(course.state for course in book.courses.values())),
        "unfinished": unfinished,
        "confirmed_ms": spread(book.confirmed()),
        "completed_ms": spread(end - p.due for p, end in book.ended()),
        "drained_after_s": None if unfinished else round(max(0.0, max(ends) - last), 3),
    }


def text(found: Figures) -> str:
    return "\n".join(_lines(found))


def _lines(found: Figures) -> Iterator[str]:
    yield (
        f"{found['mode']}: {terminal.bold(str(found['reached']))} a second of {found['rate']:g}, "
        f"{found['arrivals']} arrivals{', broken off' if found['interrupted'] else ''}"
    )
    yield f"{'':24}{'p50 ms':>9}{'p99 ms':>9}{'max ms':>9}{'count':>9}{'failed':>9}"
    for name, function in found["functions"].items():
        counts = f"{function['count']:>9}{function['failed']:>9}"
        yield f"{name:24}{_spread(function['ms'])}{counts}"
    if orders := found.get("orders"):
        yield f"{'order to CONFIRMED':24}{_spread(orders['confirmed_ms'])}"
        yield f"{'order to its end':24}{_spread(orders['completed_ms'])}"
        yield _drained(orders)
    for kind, count in found["failures"].items():
        yield terminal.red(f"{count} x {kind}")
    yield _generator(found["generator"])


def _spread(values: Spread | None) -> str:
    names = ("p50", "p99", "max")
    return "".join(f"{values[name]:>9.1f}" if values else f"{'-':>9}" for name in names)


def _drained(orders: Mapping[str, Any]) -> str:
    ended = ", ".join(f"{count} {state}" for state, count in sorted(orders["ended"].items()))
    line = f"{orders['accepted']} orders accepted: {ended or 'none has been looked at'}"
    if orders["unfinished"]:
        return terminal.red(f"{line}; {orders['unfinished']} have not ended")
    return f"{line}; all had ended {orders['drained_after_s']} s after the last arrival"


def _generator(own: Mapping[str, Any]) -> str:
    line = f"generator: {own['cpu']:.0%} of a core, {own['late_p99_ms']} ms late (p99)"
    return line + (f"\n{terminal.red('warning')}: {own['warning']}" if own["warning"] else "")
