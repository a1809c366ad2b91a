"""HTTPRoute: how requests from outside reach the Service."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from microservice_operator import names
from microservice_operator.api.kinds import Kind
from microservice_operator.api.platform import Platform
from microservice_operator.api.routes import Match, Parent, Route
from microservice_operator.api.service import MicroService
from microservice_operator.desired.ports import routed
from microservice_operator.observed import Manifest, Observed
from microservice_operator.wire import wire

GROUP = "gateway.networking.k8s.io"
KIND = Kind(f"{GROUP}/v1", "HTTPRoute", "httproutes", optional=True)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a Gateway says about one condition of a route; `pending` until it has seen this form."""

    ok: bool
    pending: bool
    reason: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class Attached:
    """One parent of a route, as its controller reports it."""

    parent: str  # namespace/name of the Gateway
    accepted: Verdict
    resolved: Verdict


@dataclass(frozen=True, slots=True)
class Parents:
    expected: int
    attached: tuple[Attached, ...] = ()


def build(service: MicroService, observed: Observed, platform: Platform) -> list[Manifest]:
    return [
        names.child(
            KIND,
            service,
            name=names.route(service, entry.name),
            spec=_spec(service, entry, parents),
        )
        for entry in service.spec.routes
        if (parents := parents_of(entry, platform))
    ]


def parents_of(entry: Route, platform: Platform) -> tuple[Parent, ...]:
    """The Gateways meant; none where neither the entry nor the settings name one."""
    if entry.parent_refs or platform.gateway is None:
        return entry.parent_refs
    gateway = platform.gateway
    return (
        Parent(name=gateway.name, namespace=gateway.namespace, section_name=gateway.section_name),
    )


def facts(live: Mapping[str, Any]) -> Parents:
    metadata, spec = live["metadata"], live.get("spec") or {}
    parents = (live.get("status") or {}).get("parents") or ()
    return Parents(
        expected=len(spec.get("parentRefs") or ()),
        attached=tuple(
            _attached(p, metadata["namespace"], metadata.get("generation", 0)) for p in parents
        ),
    )


def _attached(parent: Mapping[str, Any], namespace: str, generation: int) -> Attached:
    ref = parent["parentRef"]
    conditions = parent.get("conditions") or ()
    return Attached(
        parent=f"{ref.get('namespace', namespace)}/{ref['name']}",
        accepted=_verdict(conditions, "Accepted", generation),
        resolved=_verdict(conditions, "ResolvedRefs", generation),
    )


def _verdict(conditions: Iterable[Mapping[str, Any]], kind: str, generation: int) -> Verdict:
    for found in conditions:
        if found["type"] == kind:
            old = found.get("observedGeneration", generation) < generation
            undecided = found["status"] == "Unknown"
            ok = found["status"] == "True" and not old
            reason, message = found.get("reason", ""), found.get("message", "")
            return Verdict(ok, old or undecided, reason, message)
    return Verdict(ok=False, pending=True)


def _spec(service: MicroService, entry: Route, parents: tuple[Parent, ...]) -> dict[str, Any]:
    return {
        "parentRefs": [_parent(parent) for parent in parents],
        "hostnames": list(entry.hostnames),
        "rules": [_rule(service, entry)],
    }


def _parent(parent: Parent) -> dict[str, Any]:
    return {"group": GROUP, "kind": "Gateway", **wire(parent)}


def _rule(service: MicroService, entry: Route) -> dict[str, Any]:
    """Atomic lists: every default is spelled out, else the server would add it to what we own."""
    backend = {
        "group": "",
        "kind": "Service",
        "name": service.name,
        "port": routed(service.spec, entry.port).port,
        "weight": 1,
    }
    return {
        "matches": [_match(match) for match in entry.matches or (Match(),)],
        "backendRefs": [backend],
        "timeouts": wire(entry.timeouts) if entry.timeouts else None,
    }


def _match(match: Match) -> dict[str, Any]:
    body = wire(match)
    exact: dict[str, Any] = {
        key: [{"type": "Exact", **item} for item in body[key]]
        for key in ("headers", "queryParams")
        if key in body
    }
    return {"path": {"type": "PathPrefix", "value": "/"}, **body, **exact}
