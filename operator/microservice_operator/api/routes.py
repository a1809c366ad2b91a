"""Routes: parts of gateway.networking.k8s.io/v1 HTTPRoute; the backend is always the service."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from microservice_operator.api import rules
from microservice_operator.api.model import Checked, ListMap, Model, Rule
from microservice_operator.api.scalars import Hostname, Label, PortName, Subdomain

PATH = (
    r"^/$|^(/[-A-Za-z0-9_~!$&'()*+,;=:@]([-A-Za-z0-9._~!$&'()*+,;=:@])*"
    r"|/[.][-A-Za-z0-9_~!$&'()*+,;=:@]([-A-Za-z0-9._~!$&'()*+,;=:@])*)+/?$"
)
Duration = Annotated[str, Field(max_length=24, pattern=r"^([0-9]{1,5}(h|m|s|ms)){1,4}$")]
HeaderName = Annotated[
    str, Field(min_length=1, max_length=256, pattern=r"^[A-Za-z0-9!#$%&'*+\-.^_\x60|~]+$")
]
HeaderValue = Annotated[str, Field(min_length=1, max_length=1024)]


class Parent(Model):
    name: Annotated[Subdomain, Field(description="Name of the Gateway.")]
    namespace: Label | None = Field(None, description="Its namespace; this one if absent.")
    section_name: Subdomain | None = Field(None, description="Its listener; all if absent.")


class PathMatch(Model):
    type: Literal["Exact", "PathPrefix"] = Field("PathPrefix", description="How to compare.")
    value: Annotated[str, Field(max_length=1024, pattern=PATH)] = Field(
        "/", description="The path."
    )


class HeaderMatch(Model):
    name: Annotated[HeaderName, Field(description="Name of the header.")]
    value: Annotated[HeaderValue, Field(description="Its exact value.")]


class QueryMatch(Model):
    name: Annotated[HeaderName, Field(description="Name of the query parameter.")]
    value: Annotated[HeaderValue, Field(description="Its exact value.")]


class Match(Model):
    path: PathMatch | None = Field(None, description="By path; every path if absent.")
    headers: Annotated[tuple[HeaderMatch, ...], ListMap("name")] = Field(
        (), max_length=16, description="By headers, all of them."
    )
    query_params: Annotated[tuple[QueryMatch, ...], ListMap("name")] = Field(
        (), max_length=16, description="By query parameters, all of them."
    )
    method: (
        Literal["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"]
        | None
    ) = Field(None, description="By method; every method if absent.")


class Timeouts(Model):
    RULES: ClassVar[tuple[Rule, ...]] = rules.TIMEOUTS

    request: Duration | None = Field(None, description="For the whole request, such as 5s.")
    backend_request: Duration | None = Field(None, description="For one try at a pod.")


class Route(Model):
    name: Annotated[
        Label, Field(description="main gives the HTTPRoute the name of the MicroService.")
    ]
    hostnames: tuple[Hostname, ...] = Field(
        (), max_length=16, description="Host names; all that the Gateway has if empty."
    )
    parent_refs: Annotated[tuple[Parent, ...], Checked(*rules.PARENTS)] = Field(
        (), max_length=8, description="Gateways; that of the operator's settings if empty."
    )
    matches: tuple[Match, ...] = Field(
        (), max_length=16, description="Which requests; one match is enough. All if empty."
    )
    port: PortName | None = Field(
        None, description="Name of an entry of spec.ports; the first if absent."
    )
    timeouts: Timeouts | None = Field(None, description="When the Gateway gives up.")
