"""One namespace as its users see it."""

from __future__ import annotations  # its method `list` would hide the type

from collections.abc import Callable
from typing import Any
from uuid import uuid4

from tests.api.operator_process import eventually
from tests.api.server import ApiServer

from microservice_operator import names, owned
from microservice_operator.api.kinds import MICROSERVICE, Kind
from microservice_operator.desired import KINDS

SERVE = "httpd -p 8080 -h /etc; trap 'exit 0' TERM; while :; do sleep 1 & wait $!; done"
MERGE = "application/merge-patch+json"
LEASE = Kind("coordination.k8s.io/v1", "Lease", "leases")
EVENT = Kind("v1", "Event", "events")
EVERY_KIND: dict[str, Any] = {
    "replicas": None,
    "autoscaling": {"minReplicas": 2, "maxReplicas": 3},
    "routes": [{"name": "main", "matches": [{"path": {"value": "/web"}}]}],
    "observability": {"metrics": {"port": "http"}},
}
DRIFT: dict[str, Any] = {  # for each child kind, an edit of a field that is ours
    "ServiceAccount": {"automountServiceAccountToken": True},
    "Deployment": {"spec": {"template": {"spec": {"terminationGracePeriodSeconds": 77}}}},
    "Service": {"spec": {"selector": {"microservice.dev/name": "mine"}}},
    "HorizontalPodAutoscaler": {"spec": {"maxReplicas": 9}},
    "PodDisruptionBudget": {"spec": {"unhealthyPodEvictionPolicy": "IfHealthyBudget"}},
    "HTTPRoute": {"spec": {"rules": [{"matches": [{"path": {"value": "/other"}}]}]}},
    "NetworkPolicy": {"spec": {"policyTypes": ["Ingress", "Egress"]}},
    "ServiceMonitor": {"spec": {"endpoints": [{"port": "other"}]}},
}


class World:
    """`spec` is what `create` starts from: one small pod that is ready within two seconds."""

    def __init__(self, server: ApiServer, namespace: str, image: str) -> None:
        self.server = server
        self.namespace = namespace
        self.spec: dict[str, Any] = {
            "image": image,
            "imagePullPolicy": "IfNotPresent",
            "command": ["sh", "-c", SERVE],
            "ports": [{"name": "http", "port": 80, "targetPort": 8080}],
            "replicas": 1,
            "securityContext": {"runAsUser": 10001, "runAsGroup": 10001},
            "terminationGracePeriodSeconds": 5,
        }

    # what users do

    def create(self, name: str = "web", **spec: Any) -> Any:
        wanted = {k: v for k, v in (self.spec | spec).items() if v is not None}
        return self.post(MICROSERVICE, {"metadata": {"name": name}, "spec": wanted})

    def post(self, kind: Kind, body: Any) -> Any:
        body = {"apiVersion": kind.api_version, "kind": kind.kind} | body
        answer = self.server.request("POST", kind.path(self.namespace), json=body)
        assert answer.is_success, answer.text
        return answer.json()

    def change(self, name: str = "web", **spec: Any) -> Any:
        return self.patch(MICROSERVICE, name, {"spec": spec})

    def patch(self, kind: Kind, name: str, body: Any, subresource: str = "") -> Any:
        path = kind.path(self.namespace, name) + subresource
        answer = self.server.request("PATCH", path, json=body, content_type=MERGE)
        assert answer.is_success, answer.text
        return answer.json()

    def delete(self, kind: Kind, name: str = "web") -> None:
        self.server.request("DELETE", kind.path(self.namespace, name)).raise_for_status()

    # what users see

    def get(self, kind: Kind, name: str = "web") -> Any:
        answer = self.server.request("GET", kind.path(self.namespace, name))
        return answer.json() if answer.is_success else None

    def list(self, kind: Kind) -> list[Any]:
        answer = self.server.request("GET", kind.path(self.namespace))
        assert answer.is_success, answer.text
        return list(answer.json()["items"])

    def names(self) -> list[str]:
        return [item["metadata"]["name"] for item in self.list(MICROSERVICE)]

    def events(self, reason: str = "") -> list[Any]:
        """Of MicroServices only."""
        return [
            event
            for event in self.list(EVENT)
            if event["involvedObject"]["kind"] == MICROSERVICE.kind
            and reason in ("", event["reason"])
        ]

    def children(self, name: str = "web") -> set[str]:
        return {kind.kind for kind in KINDS.values() if self.get(kind, name)}

    def condition(self, type_: str, name: str = "web") -> Any:
        """Of the current generation only."""
        live = self.get(MICROSERVICE, name) or {}
        for found in live.get("status", {}).get("conditions", ()):
            if (
                found["type"] == type_
                and found["observedGeneration"] == live["metadata"]["generation"]
            ):
                return found
        return None

    def reason(self, type_: str, name: str = "web") -> str:
        """The reason of a condition; "" where it is absent or old."""
        return str((self.condition(type_, name) or {}).get("reason", ""))

    def ready(self, name: str = "web") -> bool:
        found = self.condition("Ready", name)
        return bool(found and found["status"] == "True")

    def status(self, name: str = "web") -> Any:
        return (self.get(MICROSERVICE, name) or {}).get("status")

    # waiting

    def until(self, holds: Callable[[], Any], seconds: float = 30) -> Any:
        return eventually(holds, seconds, self.status)

    def until_ready(self, name: str = "web", seconds: float = 60) -> None:
        eventually(lambda: self.ready(name), seconds, lambda: self.status(name))

    def until_every_kind(self, name: str = "web") -> None:
        self.until(lambda: self.children(name) == set(KINDS))

    def marker(self) -> None:
        """A service made now has been seen: so has everything before it."""
        name = f"marker-{uuid4().hex[:8]}"
        self.create(name, replicas=0)
        self.until(lambda: self.condition("Ready", name))


def owned_part(live: Any) -> str:
    """The digest of what the operator owns of an object."""
    return str(owned.digest(live, names.MANAGER))
