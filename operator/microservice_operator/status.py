"""(service, seen, outcome) -> status, the events that go with it and when to look again."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from microservice_operator.api.platform import Platform
from microservice_operator.api.service import Identity, MicroService
from microservice_operator.errors import InvalidSpec
from microservice_operator.observed import Observed, Outcome, Ref


@dataclass(frozen=True, slots=True)
class Event:
    """A core/v1 Event about the MicroService; `name` makes a repeat a 409."""

    type: str  # "Normal" or "Warning"
    reason: str
    message: str
    name: str


@dataclass(frozen=True, slots=True)
class Report:
    status: dict[str, Any]
    again: float | None = None  # seconds until the next pass without an event
    events: tuple[Event, ...] = ()


class Urgency(Enum):
    """How soon a changed status is written."""

    NONE = "nothing changed"
    NOW = "at once"
    SOON = "1 s, to ride along with what follows"
    LATER = "at most every 15 s"


def status(
    service: MicroService, seen: Observed, outcome: Outcome, platform: Platform
) -> Report:
    """`seen` holds the server's answers of this pass already; with a transient failure in
    `outcome`, `seen.failing_since` is set, and a row shorter than 10 s changes nothing."""
    raise NotImplementedError


def invalid(identity: Identity, error: InvalidSpec, now: str) -> Report:
    raise NotImplementedError


def bug(identity: Identity, now: str) -> Report:
    """A pass raised: Ready is kept, the object is retried with backoff."""
    raise NotImplementedError


def urgency(old: Mapping[str, Any], new: Mapping[str, Any]) -> Urgency:
    raise NotImplementedError


def applied(identity: Identity) -> frozenset[Ref]:
    """The children that the last written status lists as applied: one missing now was deleted."""
    resources = identity.known_status.get("resources") or ()
    return frozenset(Ref(r["kind"], r["name"]) for r in resources if r.get("state") == "Applied")
