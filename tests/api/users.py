"""People of a namespace, as the API server knows them, and what they ask for."""

from typing import Any

import httpx
from tests.api import charted
from tests.api.operator_process import eventually
from tests.api.server import LEFT_ALONE, ApiServer

from microservice_operator.api.kinds import MICROSERVICE

RBAC = "rbac.authorization.k8s.io/v1"
REVIEW = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
WRITER = {  # everything one may do with MicroServices
    "apiGroups": [MICROSERVICE.group],
    "resources": [MICROSERVICE.plural],
    "verbs": ["get", "list", "create", "update", "patch", "delete"],
}
LEAST: dict[str, Any] = {  # asks for a Deployment and nothing else
    "image": "registry.example.com/app:1",
    "ports": [],
    "replicas": 1,
    "serviceAccountName": "default",
}
PORTS = {"ports": [{"name": "http", "port": 8080}]}
ROUTE = {"name": "main", "hostnames": ["shop.example.com"]}


def microservice(name: str, spec: dict[str, Any]) -> dict[str, Any]:
    """That no operator touches."""
    return {
        "apiVersion": MICROSERVICE.api_version,
        "kind": MICROSERVICE.kind,
        "metadata": {"name": name, "annotations": LEFT_ALONE},
        "spec": spec,
    }


class User:
    """Somebody without any right but those that the test gives."""

    def __init__(self, server: ApiServer, name: str) -> None:
        self.server, self.name = server, name

    def request(self, method: str, path: str, **more: Any) -> httpx.Response:
        more.setdefault("headers", {"Impersonate-User": self.name})
        return self.server.request(method, path, **more)

    def create(
        self, namespace: str, name: str = "web", *, dry: bool = False, **spec: Any
    ) -> httpx.Response:
        wanted = {key: value for key, value in (LEAST | spec).items() if value is not None}
        body = microservice(name, wanted)
        params = {"fieldValidation": "Strict"} | ({"dryRun": "All"} if dry else {})
        return self.request("POST", MICROSERVICE.path(namespace), json=body, params=params)

    def may(self, namespace: str, *rules: dict[str, Any], who: Any = None) -> "User":
        """Gives a Role with these rules there, and waits until the API server knows."""
        role = self.name.replace(":", "-")
        subject = who or {
            "kind": "User",
            "name": self.name,
            "apiGroup": "rbac.authorization.k8s.io",
        }
        place = {"name": role, "namespace": namespace}
        refer = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": role}
        for kind, content in (
            ("Role", {"rules": list(rules)}),
            ("RoleBinding", {"roleRef": refer, "subjects": [subject]}),
        ):
            manifest = {"apiVersion": RBAC, "kind": kind, "metadata": place} | content
            answer = self.server.apply(charted.path(manifest), manifest)
            assert answer.is_success, answer.text
        eventually(lambda: self.allowed(namespace, rules[-1]), 30)
        return self

    def allowed(self, namespace: str, rule: dict[str, Any]) -> bool:
        """Whether the first right of this rule is there."""
        attributes = {
            "namespace": namespace,
            "group": rule["apiGroups"][0],
            "resource": rule["resources"][0],
            "verb": rule["verbs"][0],
            "name": rule.get("resourceNames", [""])[0],
        }
        spec = {"user": self.name, "resourceAttributes": attributes}
        answer = self.server.request("POST", REVIEW, json={"spec": spec})
        assert answer.is_success, answer.text
        return bool(answer.json()["status"]["allowed"])
