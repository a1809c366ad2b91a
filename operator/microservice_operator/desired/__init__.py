"""MicroService -> the objects that should exist: one module per child kind, this is the list."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from microservice_operator import names, owned
from microservice_operator.api.kinds import Kind
from microservice_operator.api.platform import Platform
from microservice_operator.api.service import MicroService
from microservice_operator.desired import (
    account,
    autoscaler,
    deployment,
    disruption,
    monitor,
    policy,
    route,
    service,
)
from microservice_operator.observed import Manifest, Observed, Record, Ref


class Builder(Protocol):
    """A module of this package. `facts(live)`, where it has one, is what a Record keeps."""

    KIND: Kind

    def build(
        self, service: MicroService, observed: Observed, platform: Platform
    ) -> list[Manifest]: ...


BUILDERS: tuple[Builder, ...] = (
    account,
    deployment,
    service,
    autoscaler,
    disruption,
    route,
    policy,
    monitor,
)
KINDS: dict[str, Kind] = {builder.KIND.kind: builder.KIND for builder in BUILDERS}
FACTS: dict[str, Callable[[Mapping[str, Any]], object]] = {
    builder.KIND.kind: getattr(builder, "facts", lambda live: None) for builder in BUILDERS
}


def desired(
    service: MicroService, seen: Observed, platform: Platform
) -> list[tuple[Kind, Manifest]]:
    return [
        (builder.KIND, manifest)
        for builder in BUILDERS
        for manifest in builder.build(service, seen, platform)
    ]


def record(kind: Kind, live: Mapping[str, Any]) -> Record:
    """Cut a live object at the door; its `managedFields` must still be there."""
    metadata = live["metadata"]
    return Record(
        ref=Ref(kind.kind, metadata["name"]),
        namespace=metadata["namespace"],
        uid=metadata["uid"],
        version=int(metadata["resourceVersion"]),
        controller=names.controller(metadata),
        owned=owned.digest(live, names.MANAGER),
        facts=FACTS[kind.kind](live),
        deleting="deletionTimestamp" in metadata,
    )
