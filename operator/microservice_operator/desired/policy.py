"""NetworkPolicy: who is named reaches the pods; with Full, they reach what is named."""

from collections.abc import Iterator, Mapping
from typing import Any

from microservice_operator import names
from microservice_operator.api.access import IngressRule, Isolation
from microservice_operator.api.kinds import Kind
from microservice_operator.api.platform import Gateway, Platform, Tracing
from microservice_operator.api.service import MicroService
from microservice_operator.desired.ports import number, routed
from microservice_operator.observed import Manifest, Observed
from microservice_operator.wire import wire, wires

KIND = Kind("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies")
DNS = {"ports": [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}]}


def build(service: MicroService, observed: Observed, platform: Platform) -> list[Manifest]:
    level = isolation(service, platform)
    if level == "None":
        return []
    full = level == "Full"
    spec = {
        "podSelector": {"matchLabels": names.all_pods(service)},
        "policyTypes": ["Ingress", "Egress"] if full else ["Ingress"],
        "ingress": list(_ingress(service, platform)),
        "egress": list(_egress(service, platform)) if full else None,
    }
    return [names.child(KIND, service, spec=spec)]


def isolation(service: MicroService, platform: Platform) -> Isolation:
    return service.spec.access.isolation or platform.isolation


def _ingress(service: MicroService, platform: Platform) -> Iterator[dict[str, Any]]:
    if service.spec.routes and platform.gateway is not None:
        yield _from_gateway(service, platform.gateway)
    if service.spec.metrics is not None and platform.monitoring.namespace is not None:
        yield _from_monitoring(service, platform.monitoring.namespace, service.spec.metrics.port)
    for rule in service.spec.access.ingress:
        yield _rule(service, rule)


def _egress(service: MicroService, platform: Platform) -> Iterator[dict[str, Any]]:
    yield DNS
    if service.spec.tracing is not None and platform.tracing is not None:
        yield from _to_traces(platform.tracing)
    yield from wires(service.spec.access.egress)


def _to_traces(where: Tracing) -> Iterator[dict[str, Any]]:
    if where.namespace is not None:
        peer = _namespace(where.namespace) | _pods(where.pod_labels)
        yield {"to": [peer], "ports": [_tcp(where.port)]}


def _from_gateway(service: MicroService, gateway: Gateway) -> dict[str, Any]:
    entries = (routed(service.spec, entry.port) for entry in service.spec.routes)
    targets = sorted({port.container_port for port in entries})
    namespace = _namespace(gateway.pod_namespace or gateway.namespace)
    peer = namespace | _pods(gateway.pod_labels)
    return {"from": [peer], "ports": [_tcp(target) for target in targets]}


def _from_monitoring(service: MicroService, namespace: str, port: str) -> dict[str, Any]:
    return {"from": [_namespace(namespace)], "ports": [_tcp(number(service.spec, port))]}


def _namespace(name: str) -> dict[str, Any]:
    return {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}}


def _pods(labels: Mapping[str, str]) -> dict[str, Any]:
    return {"podSelector": {"matchLabels": labels}} if labels else {}


def _tcp(port: int) -> dict[str, Any]:
    return {"protocol": "TCP", "port": port}


def _rule(service: MicroService, rule: IngressRule) -> dict[str, Any]:
    """Policies match the pod's port, so a name becomes the number the container listens on."""
    body = wire(rule)
    for port in body.get("ports", ()):
        if isinstance(port.get("port"), str):
            port["port"] = number(service.spec, port["port"])
    return body
