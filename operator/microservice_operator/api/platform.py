"""Platform: facts of a cluster that builders need, set once by whoever installs the operator."""

from typing import Annotated, Literal

from pydantic import Field

from microservice_operator.api.access import Isolation
from microservice_operator.api.container import Amounts, Resources
from microservice_operator.api.model import Model
from microservice_operator.api.scalars import Hostname, Label, Labels, Subdomain


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


class Platform(Model):
    gateway: Gateway | None = None
    monitoring: Monitoring = Monitoring()
    default_resources: Resources = Resources(
        requests=Amounts(cpu="50m", memory="64Mi"), limits=Amounts(memory="256Mi")
    )
    isolation: Isolation = "Ingress"
    cluster_domain: Hostname = "cluster.local"
