"""Access: who may reach the pods and what they may reach, as networking.k8s.io/v1 rules."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from microservice_operator.api import rules
from microservice_operator.api.model import Model, Rule
from microservice_operator.api.scalars import PortNumber, PortRef, Protocol
from microservice_operator.api.scheduling import LabelSelector

Cidr = Annotated[str, Field(min_length=1, max_length=49)]
Isolation = Literal["None", "Ingress", "Full"]


class IpBlock(Model):
    RULES: ClassVar[tuple[Rule, ...]] = rules.IP_BLOCK

    cidr: Annotated[Cidr, Field(description="A network, such as 203.0.113.0/24.")]
    except_: tuple[Cidr, ...] = Field(
        (), alias="except", max_length=16, description="Networks inside it that are left out."
    )


class Peer(Model):
    RULES: ClassVar[tuple[Rule, ...]] = rules.PEER

    pod_selector: LabelSelector | None = Field(
        None, description="Pods of this namespace, or of those that namespaceSelector selects."
    )
    namespace_selector: LabelSelector | None = Field(None, description="Whole namespaces.")
    ip_block: IpBlock | None = Field(None, description="Addresses outside the cluster.")


class PolicyPort(Model):
    RULES: ClassVar[tuple[Rule, ...]] = rules.POLICY_PORT

    protocol: Protocol = Field("TCP", description="Protocol of the port.")
    port: PortRef | None = Field(
        None, description="A number, or in ingress a name of spec.ports; every port if absent."
    )
    end_port: PortNumber | None = Field(None, description="Last port of a range.")


Ports = Annotated[
    tuple[PolicyPort, ...], Field(max_length=16, description="Which ports; all if empty.")
]
Peers = Annotated[tuple[Peer, ...], Field(max_length=16)]


class IngressRule(Model):
    from_: Peers = Field((), alias="from", description="Who may call; everybody if empty.")
    ports: Ports = ()


class EgressRule(Model):
    to: Peers = Field((), description="Whom the pods may reach; everybody if empty.")
    ports: Ports = ()


class Access(Model):
    isolation: Isolation | None = Field(
        None,
        description="None: no policy. Ingress: only callers that are named reach the pods. Full:"
        " the pods also reach only what is named. The operator's setting if absent.",
    )
    ingress: tuple[IngressRule, ...] = Field(
        (), max_length=16, description="Callers beside the Gateway and the monitoring."
    )
    egress: tuple[EgressRule, ...] = Field(
        (), max_length=16, description="With Full: what the pods may reach beside DNS."
    )
