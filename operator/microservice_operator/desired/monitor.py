"""ServiceMonitor: where Prometheus finds the metrics."""

from microservice_operator import names
from microservice_operator.api.kinds import Kind
from microservice_operator.api.platform import Platform
from microservice_operator.api.service import MicroService
from microservice_operator.observed import Manifest, Observed

KIND = Kind("monitoring.coreos.com/v1", "ServiceMonitor", "servicemonitors", optional=True)


def build(service: MicroService, observed: Observed, platform: Platform) -> list[Manifest]:
    metrics = service.spec.metrics
    if metrics is None:
        return []
    endpoint = {
        "port": metrics.port,
        "path": metrics.path,
        "interval": f"{metrics.interval_seconds}s",
    }
    spec = {
        "selector": {"matchLabels": {names.NAME: service.name}},
        "endpoints": [endpoint],
        "podTargetLabels": [names.NAME, names.TRACK, names.REVISION],
    }
    monitor = names.child(KIND, service, spec=spec)
    monitor["metadata"]["labels"] = platform.monitoring.labels | monitor["metadata"]["labels"]
    return [monitor]
