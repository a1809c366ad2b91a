"""Deployment: the pods of the service."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from microservice_operator import names, owned
from microservice_operator.api.kinds import Kind
from microservice_operator.api.platform import Platform
from microservice_operator.api.service import MicroService
from microservice_operator.api.spec import RollingUpdate, Rollout
from microservice_operator.desired.pod import template
from microservice_operator.observed import Manifest, Observed, Record, Ref
from microservice_operator.wire import wire

KIND = Kind("apps/v1", "Deployment", "deployments")


@dataclass(frozen=True, slots=True)
class Condition:
    status: str
    reason: str = ""
    message: str = ""
    updated: str = ""  # lastUpdateTime: of Progressing, the last step forward


@dataclass(frozen=True, slots=True)
class Pods:
    """What a Deployment says about its pods."""

    generation: int
    observed: int  # the generation its controller has acted on
    wanted: int  # spec.replicas
    replicas_ours: bool  # our field manager still owns spec.replicas
    total: int = 0
    updated: int = 0
    ready: int = 0
    available: int = 0
    progressing: Condition | None = None
    failure: Condition | None = None  # pods that could not even be made, such as by a quota

    @property
    def old(self) -> int:
        """Of an earlier revision."""
        return max(0, self.total - self.updated)


def build(service: MicroService, observed: Observed, platform: Platform) -> list[Manifest]:
    live = observed.children.get(Ref(KIND.kind, service.name))
    spec = {
        "replicas": _replicas(service, pods(live)),
        "selector": {"matchLabels": names.deployment_pods(service)},
        "strategy": _strategy(service.spec.rollout),
        "minReadySeconds": service.spec.rollout.min_ready_seconds,
        "progressDeadlineSeconds": service.spec.rollout.progress_deadline_seconds,
        "template": template(service, platform),
    }
    deployment = names.child(KIND, service, spec=spec)
    if live is not None and not _fixed(service) and "replicas" in deployment["spec"]:
        # The value was read from this version: if somebody scales meanwhile, plan again.
        deployment["metadata"]["resourceVersion"] = str(live.version)
    return [deployment]


def facts(live: Mapping[str, Any]) -> Pods:
    metadata, status = live["metadata"], live.get("status") or {}
    conditions = {c["type"]: _condition(c) for c in status.get("conditions") or ()}
    return Pods(
        generation=metadata.get("generation", 0),
        observed=status.get("observedGeneration", 0),
        wanted=live["spec"].get("replicas", 1),
        replicas_ours=owned.owns(live, names.MANAGER, "spec", "replicas"),
        total=status.get("replicas", 0),
        updated=status.get("updatedReplicas", 0),
        ready=status.get("readyReplicas", 0),
        available=status.get("availableReplicas", 0),
        progressing=conditions.get("Progressing"),
        failure=conditions.get("ReplicaFailure"),
    )


def pods(live: Record | None) -> Pods | None:
    return live.facts if live is not None and isinstance(live.facts, Pods) else None


def _condition(raw: Mapping[str, Any]) -> Condition:
    return Condition(
        status=raw["status"],
        reason=raw.get("reason", ""),
        message=raw.get("message", ""),
        updated=raw.get("lastUpdateTime", ""),
    )


def _fixed(service: MicroService) -> bool:
    return service.spec.suspend or service.spec.replicas is not None


def _replicas(service: MicroService, live: Pods | None) -> int | None:
    """What to send. An unfixed count is left to whoever wrote it last; while that was us, its live
    value is sent again: a field without any owner would be reset to 1."""
    if service.spec.suspend:
        return 0
    if service.spec.replicas is not None:
        return service.spec.replicas
    start = max(service.floor, 1)
    if live is None:
        return start
    if not live.replicas_ours:
        return None
    return live.wanted or start  # 0 was ours for `suspend` or `replicas: 0`; an HPA would stay off


def _strategy(rollout: Rollout) -> dict[str, Any]:
    if rollout.strategy == "Recreate":
        return {"type": "Recreate"}
    steps = wire(rollout.rolling_update or RollingUpdate())
    return {"type": "RollingUpdate", "rollingUpdate": steps}
