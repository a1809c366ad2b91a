"""(service, seen, outcome) -> status, the events that go with it and when to look again."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from microservice_operator import names
from microservice_operator.addresses import addresses
from microservice_operator.api.platform import Platform
from microservice_operator.api.service import Identity, MicroService
from microservice_operator.checks import (
    GRACE,
    Case,
    Phase,
    Verdict,
    cause_of,
    refs,
    refusal,
    transient,
    verdict,
)
from microservice_operator.conditions import Condition, condition, parts, shortened, stamped
from microservice_operator.desired import KINDS, desired
from microservice_operator.desired.pod import revision
from microservice_operator.diagnosis import elapsed
from microservice_operator.errors import InvalidSpec
from microservice_operator.observed import Observed, Outcome, Ref
from microservice_operator.plan import barred, served
from microservice_operator.problems import problems

WARNED = frozenset({"InvalidSpec", "NotOwned", "Forbidden", "AdmissionDenied", "InternalError"})
BUG = "the operator failed on this object and tries again; its log says where"


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
    service: MicroService,
    seen: Observed,
    outcome: Outcome,
    platform: Platform,
    wanted: tuple[Ref, ...] | None = None,
) -> Report:
    """`seen` holds the server's answers of this pass already; with a transient failure in
    `outcome`, `seen.failing_since` is set, and a row shorter than 10 s changes nothing. `wanted`
    of this pass's plan saves building every child once more."""
    if _brief(seen, outcome):
        return Report(dict(service.known_status))
    if wanted is None:
        wanted = refs(desired(service, seen, platform))
    case = Case(service, seen, outcome, platform, wanted, cause_of(service, seen))
    found = verdict(case)
    new = _status(case, found)
    return Report(new, found.again if found else None, tuple(_events(service, new, seen.now)))


def invalid(identity: Identity, error: InvalidSpec, now: str) -> Report:
    found = Verdict("InvalidSpec", str(error), Phase.STALLED, "correct the spec")
    new = _retold(identity, found, now)
    return Report(new, None, tuple(_events(identity, new, now)))


def bug(identity: Identity, now: str) -> Report:
    """A pass raised: a Ready of this generation is kept, the object is retried with backoff."""
    same = identity.known_status.get("observedGeneration") == identity.generation
    found = Verdict("InternalError", BUG, Phase.RECONCILING, keeps_ready=same)
    return Report(_retold(identity, found, now))


def contested(identity: Identity, ref: Ref, rival: str, now: str) -> Event:
    """Somebody undoes every repair of a child; `rival` is their field manager, if it is known."""
    who = rival or "somebody"
    message = f"{who} undoes every repair of {ref.kind} {ref.name}, so it is repaired less often"
    name = names.event(identity, "Contested", f"{ref.kind}/{ref.name}", now)
    return Event("Warning", "Contested", message, name)


def urgency(old: Mapping[str, Any], new: Mapping[str, Any]) -> Urgency:
    if old == new:
        return Urgency.NONE
    headline = _news(new)
    if "Reconciling" not in headline:
        return Urgency.NOW
    if headline == _news(old):
        return Urgency.LATER
    told = new.get("lastFailure") != old.get("lastFailure")
    return Urgency.NOW if told or headline["Reconciling"] != "Progressing" else Urgency.SOON


def applied(identity: Identity) -> frozenset[Ref]:
    """The children that the last written status lists as applied: one missing now was deleted."""
    resources = identity.known_status.get("resources") or ()
    return frozenset(Ref(r["kind"], r["name"]) for r in resources if r.get("state") == "Applied")


def _brief(seen: Observed, outcome: Outcome) -> bool:
    """Only failures that will likely be gone before anybody reads of them."""
    final = outcome.not_owned or len(transient(outcome)) < len(outcome.failures)
    if final or not outcome.failures:
        return False
    return elapsed(seen.failing_since or seen.now, seen.now) < GRACE


def _status(case: Case, found: Verdict | None) -> dict[str, Any]:
    service, seen = case.service, case.seen
    conditions = _headline(found, service) + parts(service, seen, case.platform)
    optional = {
        "pods": _pods(case),
        "addresses": addresses(service, case.platform),
        "lastFailure": _last_failure(case, found),
        "problems": problems(service, seen, case.platform),
        "resources": [_resource(case, ref) for ref in case.wanted],
    }
    return {
        "observedGeneration": service.generation,
        "conditions": stamped(
            conditions, service.known_status, generation=service.generation, now=seen.now
        ),
        **{key: value for key, value in optional.items() if value},
    }


def _headline(found: Verdict | None, service: Identity) -> list[Condition]:
    """Ready, and Reconciling or Stalled while one of them is True."""
    if found is None:
        return [_in_effect(service)]
    ready = _known(service, "Ready") if found.keeps_ready else None
    kept = ready or condition("Ready", False, found.reason, found.message)
    match found.phase:
        case Phase.STALLED:
            return [kept, condition("Stalled", True, found.reason, found.fix)]
        case Phase.RECONCILING:
            return [kept, condition("Reconciling", True, found.reason, found.message)]
        case Phase.DEGRADED:
            return [kept]


def _in_effect(service: Identity) -> Condition:
    if isinstance(service, MicroService) and service.spec.suspend:
        return condition("Ready", True, "Suspended", "no pods, because spec.suspend is true")
    return condition("Ready", True, "Ready", "the spec is in effect")


def _known(identity: Identity, kind: str) -> Condition | None:
    for found in identity.known_status.get("conditions") or ():
        if found["type"] == kind:
            return {key: found[key] for key in ("type", "status", "reason", "message")}
    return None


def _others(identity: Identity) -> list[Condition]:
    """The conditions of the parts, as they were last told."""
    kinds = ("Available", "RoutesReady", "AutoscalerReady", "MonitoringReady")
    return [known for kind in kinds if (known := _known(identity, kind))]


def _retold(identity: Identity, found: Verdict, now: str) -> dict[str, Any]:
    """The last status with another headline: of the children, nothing new is known."""
    conditions = _headline(found, identity) + _others(identity)
    generation = identity.generation
    return {
        **identity.known_status,
        "observedGeneration": generation,
        "conditions": stamped(conditions, identity.known_status, generation=generation, now=now),
    }


def _pods(case: Case) -> str | None:
    return f"{case.pods.ready}/{case.pods.wanted}" if case.pods else None


def _last_failure(case: Case, found: Verdict | None) -> dict[str, Any] | None:
    """Of the current revision; a mere restart is no news, and it goes when all is Ready."""
    known = case.service.known_status.get("lastFailure")
    if found is None:
        return None
    if case.cause is None or case.cause.reason != found.reason:
        return dict(known) if known else None
    cause = case.cause
    optional = {"pod": cause.pod, "container": cause.container, "exitCode": cause.exit_code}
    new = {
        "hash": revision(case.service),
        **{key: value for key, value in optional.items() if value not in ("", None)},
        "reason": cause.reason,
        "message": shortened(cause.message),
        "time": case.seen.now,
    }
    return dict(known) if known and _same_failure(known, new) else new


def _same_failure(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    return all(old.get(key) == new.get(key) for key in ("hash", "reason", "exitCode", "message"))


def _resource(case: Case, ref: Ref) -> dict[str, str]:
    state, reason = _state(case, ref)
    told = {"kind": ref.kind, "name": ref.name, "state": state}
    return told | ({"reason": reason} if reason else {})


def _state(case: Case, ref: Ref) -> tuple[str, str]:
    if not served(KINDS[ref.kind], case.seen):
        return "Skipped", "CRDNotInstalled"
    if any(other.ref == ref for other in case.outcome.not_owned):
        return "NotOwned", "NotOwned"
    if barred(KINDS[ref.kind], case.seen):
        return "Failed", "Forbidden"
    for failed in case.outcome.failures:
        if failed.ref == ref and not failed.error.transient:
            return "Failed", refusal(failed.error)
    record = case.seen.children.get(ref)
    return ("Applied", "") if record is not None and not record.deleting else ("Waiting", "")


def _news(status: Mapping[str, Any]) -> dict[str, str]:
    """What a reader waits for: status and reason of Ready, Reconciling and Stalled, a failure."""
    conditions = {c["type"]: c for c in status.get("conditions") or ()}
    told = {k: c["reason"] for k, c in conditions.items() if k in ("Reconciling", "Stalled")}
    ready = conditions.get("Ready", {"status": "", "reason": ""})
    failure = status.get("lastFailure") or {}
    return told | {
        "Ready": f"{ready['status']}/{ready['reason']}",
        "lastFailure": f"{failure.get('reason')}/{failure.get('time')}",
    }


def _events(service: Identity, new: Mapping[str, Any], now: str) -> Iterator[Event]:
    """Only on transitions: what the last status did not say yet."""
    old = service.known_status
    before, after = _reasons(old), _reasons(new)
    failure = new.get("lastFailure") or {}
    stalled = after.get("Stalled", "")
    hash_ = failure.get("hash", "") or str(service.generation)

    def event(kind: str, reason: str, message: str) -> Event:
        return Event(kind, reason, message, names.event(service, reason, hash_, now))

    ready = _message(new, "Ready")
    if stalled in WARNED and before.get("Stalled") != stalled:
        yield event("Warning", stalled, ready)
    elif stalled and "Stalled" not in before:
        yield event("Warning", "RolloutFailed", ready)
    if failure and failure.get("hash") != (old.get("lastFailure") or {}).get("hash"):
        yield event("Warning", "WorkloadFailing", f"{failure['reason']}: {ready}")
    refused = after.get("RoutesReady") in ("NotAccepted", "RefNotPermitted")
    if refused and before.get("RoutesReady") != after["RoutesReady"]:
        yield event("Warning", "RouteRejected", _message(new, "RoutesReady"))
    if "Ready" in after and after["Ready"] == "Ready" and old.get("lastFailure"):
        yield event("Normal", "Recovered", "the spec is in effect again")


def _reasons(status: Mapping[str, Any]) -> dict[str, str]:
    return {c["type"]: c["reason"] for c in status.get("conditions") or ()}


def _message(status: Mapping[str, Any], kind: str) -> str:
    conditions = status.get("conditions") or ()
    return next((str(c["message"]) for c in conditions if c["type"] == kind), "")
