"""PodDisruptionBudget: a drain never takes more pods than the service can spare."""

from microservice_operator import names
from microservice_operator.api.kinds import Kind
from microservice_operator.api.platform import Platform
from microservice_operator.api.service import MicroService
from microservice_operator.observed import Manifest, Observed

KIND = Kind("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets")


def build(service: MicroService, observed: Observed, platform: Platform) -> list[Manifest]:
    if service.floor < 2:  # a budget over one replica would block every drain
        return []
    spec = {
        "maxUnavailable": service.spec.availability.max_unavailable,
        "selector": {"matchLabels": names.server_pods(service)},  # a finished Job pod blocks drains
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
    }
    return [names.child(KIND, service, spec=spec)]
