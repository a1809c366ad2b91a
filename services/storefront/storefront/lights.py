"""One light per invariant: green only for what was looked at and holds. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from shopkit.audit import Report, Violation
from storefront.join import invariants
from storefront.join.facts import Facts

# Each with what it promises, in the words of a person who watches.
MEANING: Mapping[str, str] = {
    "I1": "no order is charged twice",
    "I2": "what is completed is paid and delivered, once",
    "I3": "what is cancelled costs nothing and holds nothing",
    "I4": "the shelves add up",
    "I5": "our books are the bank's books",
    "I6": "every accepted order exists",
    "I7": "nothing is forgotten",
    "I8": "an order's total is the sum of its lines",
    "I9": "each cause took effect once",
    "I10": "no secret in a log or a table",
}
# Needs the record of a client, or files: `shop audit --record --scan`.
ELSEWHERE = frozenset({"I6", "I10"})
_AT_REST = frozenset({"I2", "I3", "I5"})


class Colour(StrEnum):
    GREEN = "green"
    RED = "red"
    GREY = "grey"


class Light(BaseModel):
    model_config = ConfigDict(frozen=True)
    name: str
    meaning: str
    colour: Colour
    said: str


def of_audit(reports: Sequence[Report], facts: Facts, *, at_rest: bool) -> list[Light]:
    """After a look at everything."""
    found = [v for report in reports for v in report.violations]
    found += [*invariants.always(facts), *(invariants.at_rest(facts) if at_rest else ())]
    return [_light(name, found, at_rest=at_rest) for name in MEANING]


def _light(name: str, found: Iterable[Violation], *, at_rest: bool) -> Light:
    broken = [f"{v.subject}: {v.detail}" for v in found if v.invariant == name]
    if broken:
        more = f" (and {len(broken) - 1} more)" if len(broken) > 1 else ""
        return Light(name=name, meaning=MEANING[name], colour=Colour.RED, said=broken[0] + more)
    if name in ELSEWHERE:
        return _grey(name, "checked by `shop audit` only")
    if name in _AT_REST and not at_rest:
        return _grey(name, "not checked: work is under way")
    return Light(name=name, meaning=MEANING[name], colour=Colour.GREEN, said="holds")


def _grey(name: str, said: str) -> Light:
    return Light(name=name, meaning=MEANING[name], colour=Colour.GREY, said=said)


def unchecked() -> list[Light]:
    return [_grey(name, "not checked yet") for name in MEANING]
