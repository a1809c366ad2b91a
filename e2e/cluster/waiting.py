"""Waiting for a state, with an end."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_for(look: Callable[[], T], within: float, pause: float = 0.3) -> T:
    """The first true answer, or after `within` seconds the last false one."""
    until = time.monotonic() + within
    while True:
        seen = look()
        if seen or time.monotonic() >= until:
            return seen
        time.sleep(pause)
