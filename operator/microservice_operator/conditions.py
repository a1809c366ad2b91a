"""What each part of a MicroService looks like: the conditions beside Ready."""

from collections.abc import Iterator, Mapping
from typing import Any

from microservice_operator import names
from microservice_operator.api.platform import Platform
from microservice_operator.api.routes import Route
from microservice_operator.api.service import MicroService
from microservice_operator.desired import autoscaler, monitor, route
from microservice_operator.diagnosis import pods_of
from microservice_operator.observed import Observed, Ref
from microservice_operator.plan import served

Condition = dict[str, Any]
ORDER = (
    "Ready",
    "Reconciling",
    "Stalled",
    "Available",
    "RoutesReady",
    "AutoscalerReady",
    "MonitoringReady",
)
LONGEST = 512
# Reasons of the Gateway API that controllers leave without a message.
REFUSALS = {
    "NoMatchingParent": "it has no listener of the sectionName that parentRefs asks for",
    "NotAllowedByListeners": "its listeners do not allow routes of this namespace",
    "NoMatchingListenerHostname": "none of its listeners has one of the hostnames",
}


def condition(kind: str, ok: bool, reason: str, message: str = "") -> Condition:
    return {
        "type": kind,
        "status": "True" if ok else "False",
        "reason": reason,
        "message": shortened(message),
    }


def shortened(message: str) -> str:
    return message if len(message) <= LONGEST else message[: LONGEST - 1] + "…"


def stamped(
    conditions: list[Condition], known: Mapping[str, Any], *, generation: int, now: str
) -> list[Condition]:
    """In their fixed order; lastTransitionTime moves only with the status."""
    before = {c["type"]: c for c in known.get("conditions") or ()}
    ordered = sorted(conditions, key=lambda c: ORDER.index(c["type"]))
    return [
        {
            **c,
            "observedGeneration": generation,
            "lastTransitionTime": _since(c, before.get(c["type"]), now),
        }
        for c in ordered
    ]


def parts(service: MicroService, seen: Observed, platform: Platform) -> list[Condition]:
    found = (
        available(service, seen),
        routes_ready(service, seen, platform),
        _autoscaler_ready(service, seen),
        _monitoring_ready(service, seen),
    )
    return [c for c in found if c is not None]


def available(service: MicroService, seen: Observed) -> Condition:
    pods = pods_of(service, seen)
    if service.spec.suspend:
        return condition("Available", False, "Suspended", "spec.suspend is true")
    if pods is None:
        return condition("Available", False, "NotStarted", "there is no Deployment yet")
    if pods.wanted == 0:
        return condition("Available", True, "ScaledToZero", "no pods are wanted")
    words = f"{min(pods.available, pods.wanted)} of {pods.wanted} pods available"
    words += f", {pods.old} of an older revision" if pods.old else ""
    if pods.available == 0:
        return condition("Available", False, "NoReplicaAvailable", words)
    return condition("Available", True, "ReplicasAvailable", words)


def routes_ready(service: MicroService, seen: Observed, platform: Platform) -> Condition | None:
    if not service.spec.routes:
        return None
    if not served(route.KIND, seen):
        message = "the CRD httproutes.gateway.networking.k8s.io (Gateway API) is not installed"
        return condition("RoutesReady", False, "CRDNotInstalled", message)
    for entry in service.spec.routes:
        if trouble := route_trouble(service, entry, seen, platform):
            return condition("RoutesReady", False, *trouble)
    return condition("RoutesReady", True, "Accepted", "every Gateway has accepted every route")


def route_trouble(
    service: MicroService, entry: Route, seen: Observed, platform: Platform
) -> tuple[str, str] | None:
    """Reason and message of what keeps one entry of spec.routes from working."""
    if not route.parents_of(entry, platform):
        return (
            "NotAccepted",
            f"route {entry.name} has no Gateway: neither parentRefs nor settings name one",
        )
    record = seen.children.get(Ref(route.KIND.kind, names.route(service, entry.name)))
    facts = record.facts if record else None
    if not isinstance(facts, route.Parents) or len(facts.attached) < facts.expected:
        return "Pending", f"no Gateway has answered for route {entry.name} yet"
    return next(_refusals(entry, facts), None)


def _refusals(entry: Route, facts: route.Parents) -> Iterator[tuple[str, str]]:
    for parent in facts.attached:
        for verdict in (parent.accepted, parent.resolved):
            if verdict.ok:
                continue
            if verdict.pending:
                yield (
                    "Pending",
                    f"Gateway {parent.parent} has not decided on route {entry.name} yet",
                )
            reason = verdict.reason if verdict.reason == "RefNotPermitted" else "NotAccepted"
            why = verdict.message or REFUSALS.get(verdict.reason, "")
            why = f"{why} ({verdict.reason})" if why else verdict.reason
            yield reason, f"Gateway {parent.parent} refuses route {entry.name}: {why}"


def _autoscaler_ready(service: MicroService, seen: Observed) -> Condition | None:
    if service.spec.autoscaling is None:
        return None
    record = seen.children.get(Ref(autoscaler.KIND.kind, service.name))
    facts = record.facts if record else None
    if not isinstance(facts, autoscaler.Scaling) or facts.active is None:
        return None
    if facts.active:
        return condition("AutoscalerReady", True, "ScalingActive", "the metrics can be read")
    if facts.reason == "ScalingDisabled":  # at 0 pods there is nothing to measure
        return None
    return condition("AutoscalerReady", False, "MetricsUnavailable", facts.message)


def _monitoring_ready(service: MicroService, seen: Observed) -> Condition | None:
    if service.spec.metrics is None:
        return None
    if not served(monitor.KIND, seen):
        message = (
            "the CRD servicemonitors.monitoring.coreos.com (Prometheus operator) is not installed,"
            " so nothing is scraped"
        )
        return condition("MonitoringReady", False, "CRDNotInstalled", message)
    if Ref(monitor.KIND.kind, service.name) not in seen.children:
        return None
    return condition("MonitoringReady", True, "Applied", "Prometheus is told where to scrape")


def _since(new: Condition, old: Mapping[str, Any] | None, now: str) -> str:
    unchanged = old is not None and old["status"] == new["status"]
    return str(old["lastTransitionTime"]) if unchanged and old is not None else now
