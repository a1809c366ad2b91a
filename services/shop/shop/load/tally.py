"""What became of each request."""

import time
from collections import Counter
from collections.abc import Awaitable, Iterator, Mapping
from dataclasses import dataclass, field

from shop.load.client import Reply
from shop.load.failures import Failed

# What a customer does -> the service that does it.
SERVICE_OF: Mapping[str, str] = {
    "products": "catalog",
    "quote": "catalog",
    "order": "orders",
    "order list": "orders",
    "cart": "orders",
    "cards": "payments",
    "login": "auth",
    "page": "storefront",
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """Moments of the monotonic clock; `due` is when the arrival should have come."""

    function: str
    due: float
    sent: float
    answered: float
    failure: str = ""
    unchanged: bool = False  # 304


@dataclass
class Tally:
    outcomes: list[Outcome] = field(default_factory=list)

    async def timed(self, function: str, due: float, reply: Awaitable[Reply]) -> Reply | None:
        """The reply to a request that is sent now; None when it failed."""
        sent = time.monotonic()
        try:
            got = await reply
        except Failed as failed:
            self._add(function, due, sent, failed.kind)
            return None
        self._add(function, due, sent, "", unchanged=got.status == 304)
        return got

    def not_sent(self, function: str, due: float, why: str) -> None:
        self._add(function, due, time.monotonic(), why)

    def _add(
        self, function: str, due: float, sent: float, failure: str, *, unchanged: bool = False
    ) -> None:
        now = time.monotonic()
        self.outcomes.append(Outcome(function, due, sent, now, failure, unchanged))

    def of(self, function: str) -> Iterator[Outcome]:
        return (outcome for outcome in self.outcomes if outcome.function == function)

    def functions(self) -> list[str]:
        return list(dict.fromkeys(outcome.function for outcome in self.outcomes))

    def failures(self) -> dict[str, int]:
        """`order: 429 rate-limited` -> how many; the most frequent first."""
        counted = Counter(f"{o.function}: {o.failure}" for o in self.outcomes if o.failure)
        return dict(counted.most_common())
