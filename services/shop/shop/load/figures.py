"""What a list of times comes to."""

import itertools
import math
from collections.abc import Iterable, Sequence

Spread = dict[str, float]


def percentile(values: Sequence[float], share: float) -> float:
    """Nearest rank: the smallest value that `share` (of 1) of all do not exceed."""
    if not values:
        raise ValueError("no values")
    rank = math.ceil(round(share * len(values), 9))
    return sorted(values)[max(1, rank) - 1]


def spread(seconds: Iterable[float]) -> Spread | None:
    """In milliseconds; None of nothing."""
    values = [1000 * value for value in seconds]
    if not values:
        return None
    shares = {"p50": percentile(values, 0.5), "p99": percentile(values, 0.99), "max": max(values)}
    return {name: round(value, 2) for name, value in shares.items()}


def longest_gap(moments: Iterable[float], began: float, ended: float) -> float:
    """The longest time in which nothing happened, the edges included."""
    marks = [began, *sorted(m for m in moments if began <= m <= ended), ended]
    return max(later - earlier for earlier, later in itertools.pairwise(marks))
