"""The children of a MicroService in the cluster, as the operator would see them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from microservice_operator import names
from microservice_operator.api.kinds import Kind
from microservice_operator.api.service import Identity
from microservice_operator.clock import Clock
from microservice_operator.desired import KINDS, record
from microservice_operator.observed import Observed, Ref
from msvc.cluster import Absent, Cluster, Forbidden


@dataclass(frozen=True, slots=True)
class Children:
    observed: Observed
    live: Mapping[Ref, Any]  # the whole objects


def children(cluster: Cluster, service: Identity) -> Children:
    """One request a kind. Kinds the user may not list are `forbidden` to see."""
    live: dict[Ref, Any] = {}
    served, forbidden = set(), {}
    for kind in KINDS.values():
        try:
            found = _of_kind(cluster, kind, service)
        except Forbidden:
            forbidden[kind.kind] = "list"
        except Absent:
            if not kind.optional:
                raise
            continue
        else:
            live |= {Ref(kind.kind, body["metadata"]["name"]): body for body in found}
        served.add(kind.kind)
    records = {ref: record(KINDS[ref.kind], body) for ref, body in live.items()}
    observed = Observed(
        now=Clock().now(), children=records, served=frozenset(served), forbidden=forbidden
    )
    return Children(observed, live)


def _of_kind(cluster: Cluster, kind: Kind, service: Identity) -> list[Any]:
    """By owner, as the operator does it: a label proves nothing."""
    listed = cluster.list(kind, service.namespace, f"{names.CHILDREN},{names.NAME}={service.name}")
    return [body for body in listed if names.controller(body["metadata"]) == service.uid]
