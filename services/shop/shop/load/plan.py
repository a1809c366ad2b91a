"""When each arrival is due. An open loop waits for no answer: slow answers do not slow it down."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Plan:
    """`rate` arrivals a second for `seconds`, and never more than `most` in all."""

    rate: float
    seconds: float
    most: int

    @property
    def wanted(self) -> int:
        return max(1, int(round(self.rate * self.seconds, 6)))

    @property
    def count(self) -> int:
        return min(self.wanted, self.most)

    def due(self, number: int) -> float:
        """Seconds after the start."""
        return number / self.rate
