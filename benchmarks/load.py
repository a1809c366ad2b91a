"""The load: what is created, and at which pace; never kubectl, which takes 75 ms an object."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from contextlib import aclosing
from typing import Any

from benchmarks.api import JSON, Api, Refused

from microservice_operator.api.kinds import MICROSERVICE, Kind
from microservice_operator.api.platform import Platform
from microservice_operator.api.service import MicroService
from microservice_operator.desired import KINDS, desired
from microservice_operator.observed import Observed

NAMESPACE = "bench"
WARM_UP = "warm-up"
IN_FLIGHT = 16
IMAGE = "registry.example.com/shop/orders:1"
NEXT_IMAGE = "registry.example.com/shop/orders:2"
SPEC: dict[str, Any] = {
    "image": IMAGE,
    "ports": [{"name": "http", "port": 8080}],
    "env": [{"name": "LOG_LEVEL", "value": "info"}],
    "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "256Mi"}},
    "probes": {"readiness": {"httpGet": {"path": "/readyz", "port": "http"}}},
    "autoscaling": {"minReplicas": 2, "maxReplicas": 5},
    "routes": [{"name": "main", "matches": [{"path": {"value": "/api/v1/orders"}}]}],
}
PLATFORM = {"gateway": {"name": "public", "namespace": "gateway"}}
SEVEN = tuple(kind for kind in KINDS.values() if kind.kind != "ServiceMonitor")
MANAGER = "load"


def children(service: MicroService) -> list[tuple[Kind, dict[str, Any]]]:
    """What the operator makes of a service that has no children yet."""
    seen = Observed(now="2026-01-01T00:00:00Z", children={}, served=frozenset({"HTTPRoute"}))
    return desired(service, seen, Platform.model_validate(PLATFORM))


def parsed(namespace: str, name: str, uid: str) -> MicroService:
    metadata = {"namespace": namespace, "name": name, "uid": uid, "resourceVersion": "1"}
    return MicroService.parse({"metadata": metadata, "spec": SPEC})


def manifest(kind: Kind, namespace: str, name: str, image: str = IMAGE) -> dict[str, Any]:
    """The object whose seven children are counted; a peer's kind has its template elsewhere."""
    spec = SPEC | {"image": image} if kind is MICROSERVICE else {"image": image}
    metadata = {"namespace": namespace, "name": name}
    return {
        "apiVersion": kind.api_version,
        "kind": kind.kind,
        "metadata": metadata,
        "spec": spec,
    }


def names(count: int, prefix: str = "s") -> list[str]:
    return [f"{prefix}{number:05}" for number in range(count)]


async def burst(items: Iterable[str], send: Callable[[str], Awaitable[None]]) -> None:
    """All, with IN_FLIGHT at the same time."""
    waiting = iter(items)

    async def worker() -> None:
        for item in waiting:
            await send(item)

    async with asyncio.TaskGroup() as group:
        for _ in range(IN_FLIGHT):
            group.create_task(worker())


async def paced(
    rate: float, seconds: float, send: Callable[[int], Coroutine[Any, Any, None]]
) -> int:
    """Open loop: sent when due, whether or not earlier ones were answered; how many there were."""
    began, count = time.monotonic(), int(rate * seconds)
    async with asyncio.TaskGroup() as group:
        for number in range(count):
            await asyncio.sleep(max(0.0, began + number / rate - time.monotonic()))
            group.create_task(send(number))
    return count


async def accept_routes(api: Api) -> None:
    """What a Gateway does, at once: without it no route, and so no service, becomes ready."""
    kind = KINDS["HTTPRoute"]
    answer = await api.request("GET", kind.path())
    version = answer["metadata"]["resourceVersion"]
    async with (
        asyncio.TaskGroup() as group,
        aclosing(api.watch(kind.path(), version, JSON)) as events,
    ):
        async for event in events:
            live = event["object"]
            if event["type"] in ("ADDED", "MODIFIED") and not _accepted(live):
                group.create_task(_accept(api, kind, live))


def _accepted(live: dict[str, Any]) -> bool:
    generation = live["metadata"]["generation"]
    parents = (live.get("status") or {}).get("parents") or ()
    return any(c["observedGeneration"] == generation for p in parents for c in p["conditions"])


async def _accept(api: Api, kind: Kind, live: dict[str, Any]) -> None:
    metadata = live["metadata"]
    verdict = {
        "status": "True",
        "observedGeneration": metadata["generation"],
        "lastTransitionTime": "2026-01-01T00:00:00Z",
        "message": "",
    }
    conditions = [{"type": t, "reason": t, **verdict} for t in ("Accepted", "ResolvedRefs")]
    parents = [
        {"parentRef": ref, "controllerName": "bench.example/gateway", "conditions": conditions}
        for ref in live["spec"]["parentRefs"]
    ]
    path = kind.path(metadata["namespace"], metadata["name"]) + "/status"
    try:
        await api.merge(path, {"status": {"parents": parents}})
    except Refused as error:
        if error.code != 404:  # deleted meanwhile
            raise
