"""Pods that no node takes; whether they are ready is the test's decision."""

from typing import Any

from tests.api.world import World

from microservice_operator.api.kinds import Kind

POD = Kind("v1", "Pod", "pods")
FAKE: dict[str, Any] = {"nodeSelector": {"kubernetes.io/hostname": "nowhere"}}


def pods(world: World, name: str = "web") -> list[Any]:
    """Of a service, the oldest first."""
    ours = [p for p in world.list(POD) if p["metadata"]["labels"]["microservice.dev/name"] == name]
    return sorted(
        ours, key=lambda pod: (pod["metadata"]["creationTimestamp"], pod["metadata"]["name"])
    )


def is_ready(pod: Any) -> bool:
    conditions = pod["status"].get("conditions") or ()
    return any((c["type"], c["status"]) == ("Ready", "True") for c in conditions)


def make_ready(world: World, count: int = 1, name: str = "web") -> int:
    """As a kubelet would, so many more of them; how many there were to be had."""
    waiting = [pod for pod in pods(world, name) if not is_ready(pod)][:count]
    for pod in waiting:
        since = pod["metadata"]["creationTimestamp"]
        ready = {"type": "Ready", "status": "True", "lastTransitionTime": since}
        world.patch(POD, pod["metadata"]["name"], {"status": {"conditions": [ready]}}, "/status")
    return len(waiting)
