"""Platform: facts of a cluster that builders need, set once by whoever installs the operator."""

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field

from microservice_operator.api.access import Isolation
from microservice_operator.api.container import Amounts, Resources
from microservice_operator.api.model import Model
from microservice_operator.api.scalars import Hostname, Label, Labels, PortNumber, Subdomain

RESERVED = ("microservice.dev", "kubernetes.io", "k8s.io")  # with all below them


class Gateway(Model):
    """The Gateway of routes that name none, and the pods their requests come from."""

    name: Subdomain
    namespace: Label
    section_name: Subdomain | None = None
    scheme: Literal["http", "https"] = "https"  # in front of host names
    pod_namespace: Label | None = None  # the Gateway's own if absent
    pod_labels: Labels = Field({})  # every pod of that namespace if empty
    url: Annotated[str, Field(max_length=256, pattern=r"^https?://[^/\s]+$")] | None = None
    """Where routes without a host name are reached from outside, such as http://127.0.0.1:8080."""


class Monitoring(Model):
    namespace: Label | None = None  # where Prometheus runs; nobody gets in if absent
    labels: Labels = Field({})  # by which Prometheus selects ServiceMonitors


class Tracing(Model):
    """Where OpenTelemetry sends traces, and the pods that listen there."""

    endpoint: Annotated[
        str, Field(max_length=256, pattern=r"^https?://[^/\s:]+(:[0-9]{1,5})?(/[^\s]*)?$")
    ]
    protocol: Literal["http/protobuf", "grpc"] = "http/protobuf"
    namespace: Label | None = None  # of these pods; with isolation Full they are out of reach else
    pod_labels: Labels = Field({})  # every pod of that namespace if empty
    pod_port: PortNumber | None = None  # the number these pods listen on; the endpoint's if absent

    @property
    def port(self) -> int:
        url = urlsplit(self.endpoint)
        return self.pod_port or url.port or {"http": 80, "https": 443}[url.scheme]


AllowedKey = Annotated[str, Field(max_length=317, pattern=r"^[A-Za-z0-9._-]+/?[A-Za-z0-9._-]*$")]


class PodMetadata(Model):
    """Keys that services may put on their pods; an entry that ends in / allows all after it."""

    allowed: tuple[AllowedKey, ...] = ()

    def allows(self, key: str) -> bool:
        return not _reserved(key) and any(
            key == entry or (entry.endswith("/") and key.startswith(entry))
            for entry in self.allowed
        )


class Platform(Model):
    gateway: Gateway | None = None
    monitoring: Monitoring = Monitoring()
    tracing: Tracing | None = None
    pod_metadata: PodMetadata = PodMetadata()
    default_resources: Resources = Resources(
        requests=Amounts(cpu="50m", memory="64Mi"), limits=Amounts(memory="256Mi")
    )
    isolation: Isolation = "Ingress"
    cluster_domain: Hostname = "cluster.local"


def _reserved(key: str) -> bool:
    domain = key.rpartition("/")[0]
    return any(domain == mine or domain.endswith(f".{mine}") for mine in RESERVED)
