"""One audit: wait until nothing is under way, read everything, judge it."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from shop.admin import Ports
from shop.audit import reading, record, scan
from shopkit.audit import Report, Violation
from shopkit.clock import Clock
from storefront.join import invariants
from storefront.join.facts import Facts

POLL, SAY_EVERY = 0.2, 5.0
Say = Callable[[str], None]


@dataclass(frozen=True)
class Scope:
    """`settle`: how many seconds the shop may take to come to rest."""

    settle: float = 60
    record: Path | None = None
    scan: Sequence[Path] = ()
    canaries: Sequence[str] = ()


@dataclass(frozen=True)
class Verdict:
    """`unsettled` names what was still under way; then what holds at rest only was not judged."""

    violations: Sequence[Violation] = ()
    unsettled: Sequence[str] = ()
    letters: Sequence[str] = ()
    orders: int = 0
    checked: Sequence[str] = field(default_factory=tuple)

    @property
    def clean(self) -> bool:
        return not self.violations and not self.unsettled


async def audit(ports: Ports, scope: Scope, clock: Clock, say: Say) -> Verdict:
    """Raises ShopError when somebody does not answer."""
    reports = await _settled(ports, scope.settle, clock, say)
    unsettled = open_work(reports)
    facts = await reading.facts(ports)
    found = [
        *chain.from_iterable(report.violations for report in reports),
        *invariants.always(facts),
        *(() if unsettled else invariants.at_rest(facts)),
        *_promises(scope, facts),
        *scan.scan(scope.scan, scope.canaries),
    ]
    return Verdict(
        found, unsettled, _letters(reports), len(facts.orders), _checked(scope, unsettled)
    )


async def _settled(ports: Ports, seconds: float, clock: Clock, say: Say) -> Sequence[Report]:
    """The reports of a shop at rest, or the last ones before time was up.

    Rest is seen twice: a message may be between two services while they are asked in turn.
    """
    until, said, rested = clock.monotonic() + seconds, clock.monotonic(), False
    while True:
        reports = await reading.reports(ports)
        work = open_work(reports)
        if (rested and not work) or clock.monotonic() >= until:
            return reports
        rested = not work
        if work and clock.monotonic() - said >= SAY_EVERY:
            say(f"waiting, {until - clock.monotonic():.0f} s left: {work[0]}")
            said = clock.monotonic()
        await asyncio.sleep(POLL if work else 0)


def open_work(reports: Sequence[Report]) -> list[str]:
    """One line each, the sagas by name."""
    return [
        f"{report.service}: {work.count} {work.what}" + "".join(f"\n    {x}" for x in work.examples)
        for report in reports
        for work in report.open
    ]


def _promises(scope: Scope, facts: Facts) -> Sequence[Violation]:
    if scope.record is None:
        return ()
    return list(record.broken(record.read(scope.record), facts.orders))


def _letters(reports: Sequence[Report]) -> list[str]:
    return [
        f"{report.service}: {letter.type} {letter.message_id} failed {letter.count} times:"
        f" {letter.error}"
        for report in reports
        for letter in report.dead_letters
    ]


def _checked(scope: Scope, unsettled: Sequence[str]) -> list[str]:
    joined = ["I1"] if unsettled else ["I1", "I2", "I3"]
    asked = (["I6"] if scope.record else []) + (["I10"] if scope.scan else [])
    return sorted({*joined, *invariants.LOCAL, *asked}, key=lambda name: int(name[1:]))
