"""How often one MicroService is written to and looked into: what a pass leaves to the next."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from microservice_operator.errors import ApiError
from microservice_operator.observed import Outcome, PodFacts, Ref
from microservice_operator.status import Urgency

HOLD_BACK = 1.0  # seconds a mere "in progress" waits for the Ready flip, to save a request
THROTTLE = 15.0  # seconds between writes of counts and messages alone
LOOK = 15.0  # seconds between two looks at the pods
STABLE = 300.0  # seconds after which an unchanged cause is looked at less and less
SELDOM = 300.0
REPAIRS = 5  # repairs in a row before a fight is suspected
FIGHT = 10.0  # seconds between repairs in a fight

NEVER = float("-inf")


@dataclass(slots=True)
class Pace:
    """All times are of the monotonic clock but `failing_since`; a restart forgets them."""

    uid: str
    failing_since: str | None = None  # RFC 3339
    pods: tuple[PodFacts, ...] | None = None
    made: frozenset[Ref] = frozenset()  # applied since the last status, which lists the others
    _held_since: float | None = None
    _written_at: float = NEVER
    _looked_at: float = NEVER
    _stable_since: float = NEVER
    _repairs: dict[Ref, list[float]] = field(default_factory=dict)
    _contested: set[Ref] = field(default_factory=set)

    def status_wait(self, urgency: Urgency, now: float) -> float | None:
        """Seconds until this status may be written; None if there is nothing to write."""
        match urgency:
            case Urgency.NONE:
                self._held_since = None
                return None
            case Urgency.NOW:
                return 0.0
            case Urgency.SOON:
                self._held_since = now if self._held_since is None else self._held_since
                return max(0.0, self._held_since + HOLD_BACK - now)
            case Urgency.LATER:
                return max(0.0, self._written_at + THROTTLE - now)

    def status_written(self, now: float) -> None:
        self._held_since, self._written_at = None, now
        self.made = frozenset()

    def look_wait(self, now: float) -> float:
        """Seconds until the pods may be listed again."""
        unchanged = now - self._stable_since
        interval = LOOK if unchanged < STABLE else min(SELDOM, LOOK * unchanged / STABLE)
        return max(0.0, self._looked_at + interval - now)

    @property
    def blind(self) -> bool:
        """The last look was refused."""
        return self.pods is None and self._looked_at > NEVER

    def looked(self, pods: tuple[PodFacts, ...] | None, now: float) -> None:
        """None: they may not be listed."""
        if pods != self.pods:
            self._stable_since = now
        self.pods, self._looked_at = pods, now

    def healthy(self) -> None:
        """Nobody asks about the pods any more; the next failure is looked at at once."""
        self.pods, self._looked_at = None, NEVER

    def note(self, outcome: Outcome, now: str) -> None:
        failing = any(failed.error.transient for failed in outcome.failures)
        self.failing_since = (self.failing_since or now) if failing else None
        self.made |= {record.ref for record in outcome.applied}

    def held(self, repairs: Iterable[Ref], now: float) -> dict[Ref, float]:
        """Those that somebody undoes every time, and how many seconds they have it their way."""
        waits = {ref: self._fight(ref, now) for ref in repairs}
        return {ref: wait for ref, wait in waits.items() if wait}

    def news(self, held: Iterable[Ref]) -> list[Ref]:
        """Those of whose fight nobody was told; each is told once, until it has ended."""
        fresh = [ref for ref in held if ref not in self._contested]
        self._contested = (self._contested & self._repairs.keys()) | set(fresh)
        return fresh

    def repaired(self, repairs: Iterable[Ref], now: float) -> None:
        for ref in repairs:
            self._repairs.setdefault(ref, []).append(now)

    def _fight(self, ref: Ref, now: float) -> float:
        recent = [at for at in self._repairs.pop(ref, []) if now - at < REPAIRS * FIGHT]
        if recent:
            self._repairs[ref] = recent
        return max(0.0, recent[-1] + FIGHT - now) if len(recent) >= REPAIRS else 0.0


def retry_after(outcome: Outcome) -> float | None:
    """None without transient failures; 0 when all are conflicts; else what the server asked for."""
    errors = [failed.error for failed in outcome.failures if failed.error.transient]
    return None if not errors else max(_pause(error) for error in errors)


def _pause(error: ApiError) -> float:
    return error.retry_after or (0.0 if error.code == 409 else 0.1)
