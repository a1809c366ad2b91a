"""Scenes without real pods: the test says that a pod is ready, or a route accepted, at once."""

from typing import Any
from uuid import uuid4

from tests.api.fake_pods import POD, is_ready
from tests.api.operator_process import eventually
from tests.api.picture import difference, golden, picture, without_status
from tests.api.world import EVERY_KIND, MERGE, World

from microservice_operator.api.kinds import MICROSERVICE, Kind
from microservice_operator.desired import KINDS

CONFIG = Kind("v1", "ConfigMap", "configmaps")
SERVICE, ROUTE = KINDS["Service"], KINDS["HTTPRoute"]
SPEC: dict[str, Any] = {
    "image": "registry.invalid/web:1",
    "ports": [{"name": "http", "port": 80, "targetPort": 8080}],
    "replicas": 2,
    "nodeSelector": {"microservice.dev/node": "nowhere"},  # so that no kubelet takes its pods
}
FEATURES = EVERY_KIND | {"env": [{"name": "A", "value": "b"}]}
# As many pods as before: else the autoscaler may undo the count once more before it is removed.
PLAIN = {"replicas": 2, "autoscaling": None, "routes": None, "observability": None, "env": None}
RUNNING = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
ACCEPTED = [
    {"type": kind, "status": "True", "reason": kind, "lastTransitionTime": "2026-01-01T00:00:00Z"}
    for kind in ("Accepted", "ResolvedRefs")
]
LABELS = {"app.kubernetes.io/managed-by": "microservice-operator", "microservice.dev/name": "web"}


class Stage:
    """One namespace with objects of others, a MicroService `web` and no kubelet."""

    def __init__(self, world: World) -> None:
        self.world = world
        world.spec = dict(SPEC)
        self._foreign = [
            (SERVICE, {"metadata": {"name": "theirs", "labels": LABELS}, "spec": _ports()}),
            (CONFIG, {"metadata": {"name": "theirs", "labels": LABELS}, "data": {"a": "b"}}),
        ]
        for kind, body in self._foreign:
            world.post(kind, body)
        self._before = self._foreign_bytes()

    def play(self) -> None:
        """What kubelet and gateway would do now."""
        for pod in self.world.list(POD):
            if not pod["metadata"].get("deletionTimestamp") and not is_ready(pod):
                self._try(POD, pod, {"status": RUNNING})
        for route in self.world.list(ROUTE):
            if not (route.get("status") or {}).get("parents"):
                self._try(ROUTE, route, {"status": {"parents": [self._accepts(route)]}})

    def until_ready(self, seconds: float = 60) -> None:
        """Ready, and pods that are too many have gone too."""
        self.until(lambda: self.world.ready() and self._as_many_as_wanted(), seconds)

    def until(self, holds: Any, seconds: float = 60) -> Any:
        return self.world.until(lambda: (self.play(), holds())[1], seconds)

    def settle(self, expected: str) -> None:
        """Ends as the golden file of this name, and nothing of others was touched."""
        whole = golden(expected)
        del whole["writes"]
        self.until_ready()
        eventually(lambda: not self._differs(whole), 10, lambda: self._differs(whole))
        self.untouched()

    def untouched(self) -> None:
        """Every byte of what others have here is as it was."""
        assert self._foreign_bytes() == self._before

    def nudge(self) -> None:
        """A pass over `web` that nobody needs: an annotation of ours that means nothing."""
        note = {"metadata": {"annotations": {"microservice.dev/note": uuid4().hex}}}
        self.world.patch(MICROSERVICE, "web", note)

    def _differs(self, expected: Any) -> list[str]:
        return difference(expected, picture(self.world))

    def _foreign_bytes(self) -> list[str]:
        objects = [self.world.get(kind, body["metadata"]["name"]) for kind, body in self._foreign]
        return [without_status(live) for live in objects]

    def _as_many_as_wanted(self) -> bool:
        ready, _, wanted = self.world.status()["pods"].partition("/")
        return bool(ready == wanted)

    def _try(self, kind: Kind, live: Any, body: Any) -> None:
        """It may be gone by now."""
        path = kind.path(self.world.namespace, live["metadata"]["name"]) + "/status"
        self.world.server.request("PATCH", path, json=body, content_type=MERGE)

    def _accepts(self, route: Any) -> Any:
        seen = {"message": "", "observedGeneration": route["metadata"]["generation"]}
        return {
            "controllerName": "tests/gateway",
            "parentRef": route["spec"]["parentRefs"][0],
            "conditions": [condition | seen for condition in ACCEPTED],
        }


def _ports() -> Any:
    return {"ports": [{"name": "http", "port": 80}]}
