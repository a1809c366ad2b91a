"""HorizontalPodAutoscaler: the number of pods follows the load."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from microservice_operator import names
from microservice_operator.api.autoscaling import Autoscaling
from microservice_operator.api.kinds import Kind
from microservice_operator.api.platform import Platform
from microservice_operator.api.service import MicroService
from microservice_operator.desired import deployment
from microservice_operator.observed import Manifest, Observed
from microservice_operator.wire import wire, wires

KIND = Kind("autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers")
CPU = {
    "type": "Resource",
    "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}},
}


@dataclass(frozen=True, slots=True)
class Scaling:
    """The ScalingActive condition; its message only when it is not active, since it has numbers."""

    active: bool | None = None
    reason: str = ""
    message: str = ""


def build(service: MicroService, observed: Observed, platform: Platform) -> list[Manifest]:
    if service.spec.autoscaling is None:
        return []
    return [names.child(KIND, service, spec=_spec(service, service.spec.autoscaling))]


def facts(live: Mapping[str, Any]) -> Scaling:
    conditions = (live.get("status") or {}).get("conditions") or ()
    for condition in conditions:
        if condition["type"] == "ScalingActive":
            active = condition["status"] == "True"
            message = "" if active else condition.get("message", "")
            return Scaling(active, condition.get("reason", ""), message)
    return Scaling()


def _spec(service: MicroService, scaling: Autoscaling) -> dict[str, Any]:
    return {
        "scaleTargetRef": {
            "apiVersion": deployment.KIND.api_version,
            "kind": deployment.KIND.kind,
            "name": service.name,
        },
        "minReplicas": scaling.min_replicas,
        "maxReplicas": scaling.max_replicas,
        "metrics": wires(scaling.metrics) or [CPU],
        "behavior": wire(scaling.behavior) if scaling.behavior else None,
    }
