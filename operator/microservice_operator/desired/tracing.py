"""Tracing: the variables by which OpenTelemetry in the service knows where to send what."""

from typing import Any

from microservice_operator.api.platform import Platform
from microservice_operator.api.service import MicroService


def env(service: MicroService, platform: Platform) -> list[dict[str, Any]]:
    """Names of the OpenTelemetry specification (SDK environment variables, OTLP exporter)."""
    wanted, where = service.spec.tracing, platform.tracing
    if wanted is None or where is None:
        return []
    values = {
        "OTEL_SERVICE_NAME": service.name,
        "OTEL_RESOURCE_ATTRIBUTES": f"service.namespace={service.namespace},"
        f"k8s.namespace.name={service.namespace}",
        "OTEL_EXPORTER_OTLP_ENDPOINT": where.endpoint,
        "OTEL_EXPORTER_OTLP_PROTOCOL": where.protocol,
        "OTEL_TRACES_SAMPLER": "parentbased_traceidratio",
        "OTEL_TRACES_SAMPLER_ARG": wanted.sampling_ratio,
    }
    return [{"name": name, "value": value} for name, value in values.items()]
