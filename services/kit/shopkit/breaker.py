"""A circuit breaker: a peer that keeps failing is left alone for a while."""

from shopkit.clock import Clock

FAILURES = 5
PAUSE = 5.0


class Breaker:
    """Opens after 5 failures in a row; after 5 s one call may try again."""

    def __init__(self, clock: Clock, failures: int = FAILURES, pause: float = PAUSE) -> None:
        self._clock, self._limit, self._pause = clock, failures, pause
        self._failures = 0
        self._closed_from = 0.0

    @property
    def is_open(self) -> bool:
        return self._failures >= self._limit

    def allows(self) -> bool:
        """Asking takes the one try of a half-open breaker, so that not everybody tries at once."""
        if not self.is_open:
            return True
        if self._clock.monotonic() < self._closed_from:
            return False
        self._closed_from = self._clock.monotonic() + self._pause
        return True

    def succeeded(self) -> None:
        self._failures = 0

    def failed(self) -> None:
        self._failures += 1
        if self.is_open:
            self._closed_from = self._clock.monotonic() + self._pause
