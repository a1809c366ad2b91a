"""A MicroService and its children as one pass sees them, in memory and without any I/O."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from microservice_operator import owned
from microservice_operator.api.kinds import Kind
from microservice_operator.api.platform import Platform
from microservice_operator.api.service import MicroService
from microservice_operator.api.status import Status
from microservice_operator.desired import autoscaler, desired, route
from microservice_operator.desired.deployment import Condition, Pods
from microservice_operator.observed import Manifest, Observed, Outcome, Record, Ref
from microservice_operator.status import Report, status

NOW = "2026-01-01T12:00:00Z"
BEFORE = "2026-01-01T11:00:00Z"
SETTINGS = Platform.model_validate(
    {
        "gateway": {"name": "public", "namespace": "gateway", "url": "http://127.0.0.1:8080"},
        "monitoring": {"namespace": "monitoring"},
    }
)
ALL = frozenset({"HTTPRoute", "ServiceMonitor"})
DEPLOYMENT = Ref("Deployment", "orders")
COMPLETE = Condition("True", "NewReplicaSetAvailable", updated=BEFORE)
STEPPING = Condition("True", "ReplicaSetUpdated", updated=BEFORE)
EXPIRED = Condition("False", "ProgressDeadlineExceeded", updated=BEFORE)


def service(
    spec: Mapping[str, Any] | None = None,
    *,
    generation: int = 1,
    known: Mapping[str, Any] | None = None,
    annotations: Mapping[str, str] | None = None,
) -> MicroService:
    metadata = {
        "name": "orders",
        "namespace": "shop",
        "uid": "uid-orders",
        "resourceVersion": "7",
        "generation": generation,
        "annotations": annotations or {},
    }
    body = {"image": "shop/orders:1", "replicas": 2, **(spec or {})}
    if "autoscaling" in body:
        del body["replicas"]
    known = known if known is not None else {"observedGeneration": -1}
    return MicroService.parse({"metadata": metadata, "spec": body, "status": known})


def pods(
    available: int = 2, wanted: int = 2, progressing: Condition | None = COMPLETE, **more: Any
) -> Pods:
    """A Deployment that its controller has acted on; all pods are of the current revision."""
    facts: dict[str, Any] = {
        "generation": 1,
        "observed": 1,
        "replicas_ours": True,
        "total": wanted,
        "updated": wanted,
        "ready": available,
    } | more
    return Pods(wanted=wanted, available=available, progressing=progressing, **facts)


def accepted(gateway: str = "gateway/public", **accepted: Any) -> route.Parents:
    good = route.Verdict(ok=True, pending=False)
    verdict = route.Verdict(**accepted) if accepted else good
    return route.Parents(1, (route.Attached(gateway, verdict, good),))


def world(
    of: MicroService,
    deployment_pods: Pods | None = None,
    *,
    platform: Platform = SETTINGS,
    facts: Mapping[Ref, object] | None = None,
    without: frozenset[Ref] = frozenset(),
    **more: Any,
) -> Observed:
    """Every child as it is wanted, with these facts."""
    seen = Observed(**({"now": NOW, "children": {}, "served": ALL} | more))
    given = {
        DEPLOYMENT: deployment_pods or pods(),
        Ref(autoscaler.KIND.kind, "orders"): autoscaler.Scaling(active=True),
        Ref(route.KIND.kind, "orders"): accepted(),
        **(facts or {}),
    }
    records = [
        applied(kind, manifest, given.get(ref))
        for kind, manifest in desired(of, seen, platform)
        if (ref := Ref(kind.kind, manifest["metadata"]["name"])) not in without
        and (not kind.optional or kind.kind in seen.served)
    ]
    return replace(seen, children={record.ref: record for record in records})


def applied(kind: Kind, manifest: Manifest, facts: object = None) -> Record:
    """The record of an object that is exactly as it was applied."""
    metadata = manifest["metadata"]
    return Record(
        ref=Ref(kind.kind, metadata["name"]),
        namespace=metadata["namespace"],
        uid=f"uid-{kind.kind}-{metadata['name']}",
        version=10,
        controller=metadata["ownerReferences"][0]["uid"],
        owned=owned.wanted(manifest),
        facts=facts,
    )


def report(of: MicroService, seen: Observed, outcome: Outcome | None = None) -> Report:
    return status(of, seen, outcome or Outcome(), SETTINGS)


def reasons(told: Mapping[str, Any]) -> dict[str, str]:
    """The conditions of a status as {type: "status/reason"}."""
    return {c["type"]: f"{c['status']}/{c['reason']}" for c in told.get("conditions", ())}


def ready_before(spec: dict[str, Any] | None = None, generation: int = 1) -> MicroService:
    """A service whose last written status says that this generation was in effect."""
    first = service(spec, generation=generation)
    told = report(first, replace(world(first), now=BEFORE)).status
    return service(spec, generation=generation, known=told)


def headline(told: Report) -> dict[str, str]:
    """Of a status that its own schema accepts."""
    Status.model_validate(told.status)
    return {
        k: v for k, v in reasons(told.status).items() if k in ("Ready", "Reconciling", "Stalled")
    }
