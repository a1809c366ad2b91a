"""What Kubernetes' own controllers would make of children: pods become ready 2, 4, 8 s apart."""

import asyncio
from typing import Any

from tests.fakeapi import FakeApi

from microservice_operator.desired import KINDS

DEPLOYMENT, HPA, ROUTE = KINDS["Deployment"], KINDS["HorizontalPodAutoscaler"], KINDS["HTTPRoute"]
READY_AFTER = (2.0, 4.0, 8.0)  # seconds


class FakeControllers:
    """`speed` as of the operator's clock. `broken` names Deployments that never get a ready pod."""

    def __init__(self, api: FakeApi, speed: float) -> None:
        self.broken: set[str] = set()
        self._limit: int | None = None
        self._allowed = asyncio.Condition()
        self._api = api
        self._speed = speed
        self._seen: dict[tuple[str, str], int] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        api.controllers.append(self._on)

    async def allow(self, pods: int) -> None:
        """From now on time does not count: only so many pods of a rollout become ready."""
        async with self._allowed:
            self._limit = pods
            self._allowed.notify_all()

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _on(self, resource: str, live: dict[str, Any]) -> None:
        metadata = live["metadata"]
        if self._seen.get((resource, metadata["uid"])) == metadata["generation"]:
            return
        self._seen[resource, metadata["uid"]] = metadata["generation"]
        act = {
            DEPLOYMENT.resource: self._roll,
            HPA.resource: self._scale,
            ROUTE.resource: self._accept,
        }
        if resource in act:
            task = asyncio.get_running_loop().create_task(act[resource](live))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _roll(self, live: dict[str, Any]) -> None:
        wanted, generation = live["spec"].get("replicas", 1), live["metadata"]["generation"]
        self._status(live, _rollout(generation, wanted, 0))
        waited = 0.0
        if live["metadata"]["name"] in self.broken:
            return
        for ready in range(1, wanted + 1):
            due = READY_AFTER[min(ready, len(READY_AFTER)) - 1]
            await self._until_ready(ready, due - waited)
            waited = due
            self._status(live, _rollout(generation, wanted, ready))

    async def _until_ready(self, pods: int, seconds: float) -> None:
        if self._limit is None:
            await asyncio.sleep(seconds / self._speed)
        async with self._allowed:
            await self._allowed.wait_for(lambda: self._limit is None or self._limit >= pods)

    async def _scale(self, live: dict[str, Any]) -> None:
        await asyncio.sleep(3.0 / self._speed)
        active = {"type": "ScalingActive", "status": "True", "reason": "ValidMetricFound"}
        self._status(live, {"conditions": [active]})

    async def _accept(self, live: dict[str, Any]) -> None:
        await asyncio.sleep(0.5 / self._speed)
        generation = live["metadata"]["generation"]
        conditions = [
            {"type": kind, "status": "True", "reason": kind, "observedGeneration": generation}
            for kind in ("Accepted", "ResolvedRefs")
        ]
        refs = live["spec"]["parentRefs"]
        parents = [
            {"parentRef": ref, "controllerName": "x", "conditions": conditions} for ref in refs
        ]
        self._status(live, {"parents": parents})

    def _status(self, live: dict[str, Any], status: dict[str, Any]) -> None:
        """Only for the generation that asked for it, and only while the object is there."""
        kind, metadata = KINDS[live["kind"]], live["metadata"]
        current = self._api.get(kind, metadata["namespace"], metadata["name"])
        if current and current["metadata"]["generation"] == metadata["generation"]:
            patch = {"status": status}
            self._api.edit(kind, metadata["namespace"], metadata["name"], patch, "controllers")


def _rollout(generation: int, wanted: int, ready: int) -> dict[str, Any]:
    done = ready >= wanted
    progressing = {
        "type": "Progressing",
        "status": "True",
        "reason": "NewReplicaSetAvailable" if done else "ReplicaSetUpdated",
        "lastUpdateTime": "2026-01-01T00:00:00Z",
    }
    return {
        "observedGeneration": generation,
        "replicas": wanted,
        "updatedReplicas": wanted,
        "readyReplicas": ready,
        "availableReplicas": ready,
        "conditions": [progressing],
    }
