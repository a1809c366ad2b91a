"""Where a service is reached: from inside the cluster and through the Gateway."""

from collections.abc import Iterator

from microservice_operator.api.platform import Platform
from microservice_operator.api.routes import Route
from microservice_operator.api.service import MicroService
from microservice_operator.api.spec import Port

MOST = 32
SCHEMES = {"https": "https", "grpc": "grpc", "tcp": "tcp"}


def addresses(service: MicroService, platform: Platform) -> list[dict[str, str]]:
    inside = [{"type": "Internal", "url": url} for url in _inside(service, platform)]
    outside = dict.fromkeys(url for r in service.spec.routes for url in _outside(r, platform))
    return [*inside, *({"type": "External", "url": url} for url in outside)][:MOST]


def _inside(service: MicroService, platform: Platform) -> Iterator[str]:
    if service.spec.ports:
        first = service.spec.ports[0]
        host = f"{service.name}.{service.namespace}.svc.{platform.cluster_domain}"
        yield f"{_scheme(first)}://{host}:{first.port}"


def _scheme(port: Port) -> str:
    if port.protocol != "TCP":
        return port.protocol.lower()
    return SCHEMES.get(port.app_protocol or "", "http")


def _outside(entry: Route, platform: Platform) -> Iterator[str]:
    gateway = platform.gateway
    paths = [match.path.value if match.path else "/" for match in entry.matches] or ["/"]
    scheme = gateway.scheme if gateway else "https"
    for path in paths:
        for host in entry.hostnames:
            yield f"{scheme}://{host}{path}"
        if gateway and gateway.url and not entry.hostnames and not entry.parent_refs:
            yield f"{gateway.url}{path}"
