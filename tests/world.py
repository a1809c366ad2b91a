"""MicroServices as tests write them, and what to ask of the fake API about them."""

from typing import Any

from tests.fakeapi import FakeApi

from microservice_operator.api.kinds import MICROSERVICE
from microservice_operator.desired import KINDS

SHOP = "shop"
SEVEN = {  # children of FULL
    "ServiceAccount",
    "Deployment",
    "Service",
    "HorizontalPodAutoscaler",
    "PodDisruptionBudget",
    "NetworkPolicy",
    "HTTPRoute",
}
PLAIN: dict[str, Any] = {"image": "shop/orders:1", "ports": [{"name": "http", "port": 8080}]}
FULL: dict[str, Any] = {
    **PLAIN,
    "autoscaling": {"minReplicas": 3, "maxReplicas": 5},
    "routes": [{"name": "main", "matches": [{"path": {"value": "/api/v1/orders"}}]}],
}


def make(api: FakeApi, name: str = "orders", spec: dict[str, Any] | None = None) -> Any:
    manifest = {"metadata": {"name": name, "namespace": SHOP}, "spec": spec or FULL}
    return api.create(MICROSERVICE, manifest)


def change(api: FakeApi, name: str = "orders", **spec: Any) -> Any:
    return api.edit(MICROSERVICE, SHOP, name, {"spec": spec})


def children(api: FakeApi, name: str = "orders") -> set[str]:
    return {kind.kind for kind in KINDS.values() if api.get(kind, SHOP, name)}


def condition(api: FakeApi, type_: str, name: str = "orders") -> tuple[str, str] | None:
    """(status, reason) of a condition of the current generation."""
    live = api.get(MICROSERVICE, SHOP, name) or {}
    for found in live.get("status", {}).get("conditions") or ():
        current = found["observedGeneration"] == live["metadata"]["generation"]
        if found["type"] == type_ and current:
            return found["status"], found["reason"]
    return None


def ready(api: FakeApi, *names: str) -> bool:
    return all(condition(api, "Ready", name) == ("True", "Ready") for name in names or ("orders",))
