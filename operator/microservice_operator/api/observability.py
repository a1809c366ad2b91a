"""Observability: what monitoring and tracing see of the service."""

from typing import Annotated

from pydantic import Field

from microservice_operator.api.model import Model
from microservice_operator.api.scalars import PortName

RATIO = r"^(0(\.[0-9]{1,6})?|1(\.0{1,6})?)$"


class Metrics(Model):
    port: Annotated[PortName, Field(description="Name of an entry of spec.ports.")]
    path: Annotated[str, Field(max_length=1024, pattern=r"^/[^\s]*$")] = Field(
        "/metrics", description="Path of the metrics."
    )
    interval_seconds: Annotated[int, Field(ge=1, le=3600)] = Field(
        30, description="Time between two scrapes."
    )


class Tracing(Model):
    sampling_ratio: Annotated[str, Field(max_length=8, pattern=RATIO)] = Field(
        "1", description="Share of new traces that are kept, from 0 to 1; a caller's choice wins."
    )


class Observability(Model):
    metrics: Metrics | None = Field(
        None, description="Scraped by Prometheus through a ServiceMonitor."
    )
    tracing: Tracing | None = Field(
        None,
        description="Sets the OTEL_* variables of OpenTelemetry, so that the service sends its"
        " traces to the platform's endpoint; an entry of env wins over them.",
    )
