"""The operator's ServiceAccount, with the rights of its chart and no more."""

from typing import Any

from tests.api import charted
from tests.api.server import ApiServer

RBAC = "/apis/rbac.authorization.k8s.io/v1"
REFER = {"apiGroup": "rbac.authorization.k8s.io"}
CLUSTER_RULES = charted.rules("ClusterRole")
LEASE_RULES = charted.rules("Role")


def user(namespace: str) -> str:
    """The name of the operator in audit logs and refusals."""
    return f"system:serviceaccount:{namespace}:operator"


def make_account(server: ApiServer, namespace: str) -> str:
    """The ServiceAccount with its roles; a token of it."""
    metadata, home = {"name": f"operator-{namespace}"}, {"name": "operator"}
    core, own = f"/api/v1/namespaces/{namespace}", f"{RBAC}/namespaces/{namespace}"
    subject = {"kind": "ServiceAccount", "name": "operator", "namespace": namespace}
    _post(server, f"{core}/serviceaccounts", {"metadata": home})
    _post(server, f"{RBAC}/clusterroles", {"metadata": metadata, "rules": CLUSTER_RULES})
    role = {**REFER, "kind": "ClusterRole", "name": metadata["name"]}
    binding = {"metadata": metadata, "roleRef": role, "subjects": [subject]}
    _post(server, f"{RBAC}/clusterrolebindings", binding)
    _post(server, f"{own}/roles", {"metadata": home, "rules": LEASE_RULES})
    role = {**REFER, "kind": "Role", "name": "operator"}
    binding = {"metadata": home, "roleRef": role, "subjects": [subject]}
    _post(server, f"{own}/rolebindings", binding)
    return new_token(server, namespace)


def new_token(server: ApiServer, namespace: str) -> str:
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/operator/token"
    return str(_post(server, path, {"spec": {}})["status"]["token"])


def give(server: ApiServer, namespace: str, rules: Any) -> None:
    """In the whole cluster, instead of what the ClusterRole says."""
    _set_rules(server, f"{RBAC}/clusterroles/operator-{namespace}", rules)


def give_at_home(server: ApiServer, namespace: str, rules: Any) -> None:
    """In the operator's own namespace, instead of the rights on its Lease."""
    _set_rules(server, f"{RBAC}/namespaces/{namespace}/roles/operator", rules)


def remove(server: ApiServer, namespace: str) -> None:
    """What a namespace does not take along when it is deleted."""
    for plural in ("clusterrolebindings", "clusterroles"):
        server.request("DELETE", f"{RBAC}/{plural}/operator-{namespace}").raise_for_status()


def _set_rules(server: ApiServer, path: str, rules: Any) -> None:
    merge = "application/merge-patch+json"
    answer = server.request("PATCH", path, json={"rules": rules}, content_type=merge)
    assert answer.is_success, answer.text


def _post(server: ApiServer, path: str, body: Any) -> Any:
    answer = server.request("POST", path, json=body)
    assert answer.is_success, answer.text
    return answer.json()
