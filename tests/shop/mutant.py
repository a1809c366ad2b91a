"""A rule of the protocol, switched off in the services' own code."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from tests.shop.crashing import Journey

Patch = pytest.MonkeyPatch
SwitchOff = Callable[[Patch], None]


@dataclass(frozen=True)
class Mutant:
    """Without the `rule`, an order that goes this `way` leaves a finding that matches `shows`."""

    rule: str
    way: Journey
    shows: str
    switch_off: SwitchOff

    def __str__(self) -> str:
        return self.switch_off.__name__


class Mutants(list[Mutant]):
    """Filled by its decorator."""

    def without(self, rule: str, way: Journey, *, shows: str) -> Callable[[SwitchOff], SwitchOff]:
        def add(switch_off: SwitchOff) -> SwitchOff:
            self.append(Mutant(rule, way, shows, switch_off))
            return switch_off

        return add
