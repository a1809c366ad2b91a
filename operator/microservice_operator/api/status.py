"""Status: what users read. `status.py` of the package fills it; this is its schema."""

from typing import Annotated, Literal

from pydantic import Field

from microservice_operator.api.model import ListMap, Model
from microservice_operator.api.scalars import Label, Subdomain

Reason = Annotated[str, Field(min_length=1, max_length=256, pattern=r"^[A-Z][A-Za-z0-9]*$")]
Message = Annotated[str, Field(max_length=512)]
Time = Annotated[str, Field(max_length=32, json_schema_extra={"format": "date-time"})]
Url = Annotated[str, Field(max_length=2048)]


class Condition(Model):
    """meta/v1 Condition."""

    type: Annotated[Reason, Field(description="What is true, false or unknown.")]
    status: Literal["True", "False", "Unknown"] = Field(description="Whether it is.")
    reason: Annotated[Reason, Field(description="Why, in one word; part of the API.")]
    message: Annotated[Message, Field(description="Why, for people.")]
    observed_generation: Annotated[int, Field(ge=0)] = Field(
        description="The generation of the object that this is about."
    )
    last_transition_time: Annotated[Time, Field(description="When status last changed.")]


class Address(Model):
    type: Literal["Internal", "External"] = Field(
        description="Internal: inside the cluster. External: through the Gateway."
    )
    url: Annotated[Url, Field(description="The address.")]


class LastFailure(Model):
    hash: Annotated[str, Field(max_length=16, description="Revision of the pod.")]
    pod: Annotated[Subdomain, Field(description="Name of the pod.")] | None = None
    container: Annotated[Label, Field(description="Name of the container.")] | None = None
    reason: Annotated[Reason, Field(description="What happened, in one word.")]
    exit_code: int | None = Field(None, description="Exit code, where a container ended.")
    message: Annotated[Message, Field(description="Last line of its output, or the reason given.")]
    time: Annotated[Time, Field(description="When it was first seen.")]


class Problem(Model):
    path: Annotated[str, Field(max_length=256, description="The field of the spec it is about.")]
    severity: Literal["Error", "Warning"] = Field(description="Only an Error keeps Ready False.")
    reason: Annotated[Reason, Field(description="What it is, in one word.")]
    message: Annotated[Message, Field(description="What it is, for people.")]
    fix: Annotated[Message, Field(description="What to do about it.")]


class Resource(Model):
    kind: Annotated[Reason, Field(description="Kind of the child.")]
    name: Annotated[Subdomain, Field(description="Its name.")]
    state: Literal["Applied", "Waiting", "Skipped", "NotOwned", "Failed"] = Field(
        description="What became of it."
    )
    reason: Reason | None = Field(None, description="Why it is not Applied, in one word.")


class Status(Model):
    observed_generation: Annotated[int, Field(ge=-1)] = Field(
        -1, description="The generation this status is about; -1 until the operator saw the object."
    )
    conditions: Annotated[tuple[Condition, ...], ListMap("type")] = Field(
        (),
        max_length=16,
        description="Ready says whether the spec is in effect. Reconciling and Stalled are present"
        " only while True: work is under way, or nothing changes without you.",
    )
    pods: Annotated[str, Field(max_length=16)] | None = Field(
        None, description="Ready and wanted pods, such as 2/2."
    )
    addresses: tuple[Address, ...] = Field(
        (), max_length=32, description="Where the service is reached."
    )
    last_failure: LastFailure | None = Field(
        None, description="Why a pod of the current revision did not run; gone once it is Ready."
    )
    problems: tuple[Problem, ...] = Field(
        (), max_length=16, description="What is wrong or unwise in the spec, and what to do."
    )
    resources: Annotated[tuple[Resource, ...], ListMap("kind", "name")] = Field(
        (), max_length=32, description="The children and what became of each."
    )
