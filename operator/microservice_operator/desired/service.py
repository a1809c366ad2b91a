"""Service: one address for the pods; a worker without ports has none."""

from typing import Any

from microservice_operator import names
from microservice_operator.api.kinds import Kind
from microservice_operator.api.platform import Platform
from microservice_operator.api.service import MicroService
from microservice_operator.api.spec import Port
from microservice_operator.observed import Manifest, Observed

KIND = Kind("v1", "Service", "services")


def build(service: MicroService, observed: Observed, platform: Platform) -> list[Manifest]:
    if not service.spec.ports:
        return []
    spec = {
        "type": "ClusterIP",
        "selector": names.service_pods(service),
        "ports": [_port(port) for port in service.spec.ports],
    }
    return [names.child(KIND, service, spec=spec)]


def _port(port: Port) -> dict[str, Any]:
    return {
        "name": port.name,
        "port": port.port,
        "targetPort": port.container_port,
        "protocol": port.protocol,
        "appProtocol": port.app_protocol,
    }
