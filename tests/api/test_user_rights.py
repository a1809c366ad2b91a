"""The chart's roles for people, and what no right on MicroServices can give them."""

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from tests.api import charted
from tests.api.operator_process import eventually
from tests.api.server import ApiServer, fresh_namespace
from tests.api.users import LEAST, PORTS, RBAC, REVIEW, ROUTE, WRITER, User, microservice
from tests.user_rights import USERS

from microservice_operator.api.kinds import MICROSERVICE, Kind
from microservice_operator.desired import KINDS

pytestmark = pytest.mark.api

GROUP = {"apiGroup": "rbac.authorization.k8s.io"}


@pytest.fixture(scope="module")
def team(api_server: ApiServer) -> Iterator[str]:
    """A namespace with a user bound to each of view, edit and admin, as the chart extends them."""
    with fresh_namespace(api_server) as name:
        made = charted.objects("user-roles", release=f"r-{name}", home="home")
        bindings = [binding(name, role) for role in ("view", "edit", "admin")]
        with charted.installed(api_server, [*made, *bindings]):
            for role, verb in (("view", "get"), ("edit", "create"), ("admin", "create")):
                right = (name, role, verb, MICROSERVICE.plural)
                eventually(lambda right=right: allowed(api_server, *right), 30)
            yield name


def binding(namespace: str, role: str) -> dict[str, Any]:
    return {
        "apiVersion": RBAC,
        "kind": "RoleBinding",
        "metadata": {"name": f"the-{role}er", "namespace": namespace},
        "roleRef": {**GROUP, "kind": "ClusterRole", "name": role},
        "subjects": [{**GROUP, "kind": "User", "name": f"{role}-{namespace}"}],
    }


def allowed(server: ApiServer, namespace: str, role: str, verb: str, resource: str) -> bool:
    plural, _, subresource = resource.partition("/")
    attributes = {"namespace": namespace, "verb": verb, "resource": plural}
    attributes |= {"group": MICROSERVICE.group, "subresource": subresource}
    spec = {"user": f"{role}-{namespace}", "resourceAttributes": attributes}
    answer = server.request("POST", REVIEW, json={"spec": spec})
    assert answer.is_success, answer.text
    return bool(answer.json()["status"]["allowed"])


@pytest.mark.parametrize(("role", "verb", "resource", "expected"), USERS)
def test_a_user_may_what_the_table_says(
    api_server: ApiServer, team: str, role: str, verb: str, resource: str, expected: bool
) -> None:
    assert allowed(api_server, team, role, verb, resource) is expected


def test_nobody_writes_a_status_not_even_by_way_of_the_object(
    api_server: ApiServer, team: str
) -> None:
    editor = User(api_server, f"admin-{team}")
    assert editor.create(team, "status").is_success
    path, merge = MICROSERVICE.path(team, "status"), "application/merge-patch+json"
    lie = {"status": {"observedGeneration": 1, "pods": "9/9"}}
    assert editor.request("PATCH", path, json=lie, content_type=merge).is_success
    assert editor.request("GET", path).json()["status"] == {"observedGeneration": -1}
    answer = editor.request("PATCH", f"{path}/status", json=lie, content_type=merge)
    assert answer.status_code == 403


# no more than a Deployment

BEYOND: list[tuple[str, dict[str, Any]]] = [  # field, and a spec that says it
    ("hostNetwork", {"hostNetwork": True}),
    ("hostPID", {"hostPID": True}),
    ("hostIPC", {"hostIPC": True}),
    ("hostPort", {"ports": [{"name": "http", "port": 80, "hostPort": 80}]}),
    ("nodePort", {"ports": [{"name": "http", "port": 80, "nodePort": 30080}]}),
    ("type", {"type": "LoadBalancer"}),
    ("externalIPs", {"externalIPs": ["10.0.0.1"]}),
    ("privileged", {"securityContext": {"privileged": True}}),
    ("capabilities", {"securityContext": {"capabilities": {"add": ["SYS_ADMIN"]}}}),
    ("allowPrivilegeEscalation", {"securityContext": {"allowPrivilegeEscalation": True}}),
    ("procMount", {"securityContext": {"procMount": "Unmasked"}}),
    ("seLinuxOptions", {"securityContext": {"seLinuxOptions": {"type": "spc_t"}}}),
    ("sysctls", {"securityContext": {"sysctls": [{"name": "a", "value": "b"}]}}),
    ("hostPath", {"volumes": [{"name": "v", "hostPath": {"path": "/"}}]}),
    ("csi", {"volumes": [{"name": "v", "csi": {"driver": "x"}}]}),
    ("template", {"template": {"spec": {"hostNetwork": True}}}),
    ("namespace", {"namespace": "kube-system"}),
    (
        "namespace",
        {
            "env": [
                {
                    "name": "A",
                    "valueFrom": {
                        "secretKeyRef": {"name": "s", "key": "k", "namespace": "kube-system"}
                    },
                }
            ]
        },
    ),
    (
        "namespace",
        {"volumes": [{"name": "v", "secret": {"secretName": "s", "namespace": "kube-system"}}]},
    ),
    ("backendRefs", PORTS | {"routes": [ROUTE | {"backendRefs": [{"name": "others"}]}]}),
    ("host", {"probes": {"readiness": {"httpGet": {"path": "/", "host": "10.0.0.1"}}}}),
]


@pytest.mark.parametrize(
    ("field", "spec"), BEYOND, ids=[f"{n}-{row[0]}" for n, row in enumerate(BEYOND)]
)
def test_what_would_be_more_than_a_pod_of_the_namespace_cannot_be_said(
    api_server: ApiServer, team: str, field: str, spec: dict[str, Any]
) -> None:
    """By an administrator either: refused as unknown, as by kubectl, or dropped."""
    body = microservice("beyond", LEAST | spec)

    def create(validation: str) -> httpx.Response:
        params = {"fieldValidation": validation, "dryRun": "All"}
        return api_server.request("POST", MICROSERVICE.path(team), json=body, params=params)

    strict, lenient = create("Strict"), create("Ignore")
    assert not strict.is_success
    assert re.search(rf'unknown field "[^"]*\b{field}"', strict.json()["message"])
    assert not lenient.is_success or field not in keys(lenient.json()["spec"])


def keys(value: Any) -> set[str]:
    """All names of fields, at any depth."""
    if isinstance(value, list):
        return set().union(*map(keys, value))
    if isinstance(value, dict):
        return set(value).union(*map(keys, value.values()))
    return set()


def test_who_may_write_microservices_gets_no_hand_on_anything_else(
    api_server: ApiServer, team: str
) -> None:
    user = User(api_server, f"author-{team}").may(team, WRITER)
    secrets = Kind("v1", "Secret", "secrets")
    assert user.create(team, "own").is_success
    for kind in (*KINDS.values(), secrets):
        assert user.request("GET", kind.path(team)).status_code == 403, kind.resource
    assert user.request("GET", MICROSERVICE.path("default")).status_code == 403
    assert user.create("default", "elsewhere").status_code == 403
