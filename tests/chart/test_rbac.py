"""The operator's rights are exactly the published table, and follow the child kinds in the code."""

import re

import pytest
from tests.chart.rendered import OPERATOR, REPOSITORY, Manifest, Render, of_kind, only
from tests.user_rights import USERS

from microservice_operator.desired import BUILDERS

READ = frozenset({"get", "list", "watch"})
CHILD = READ | {"create", "patch", "delete"}
GATEWAY = ("gateway.networking.k8s.io", "httproutes")
MONITORING = ("monitoring.coreos.com", "servicemonitors")

Rights = dict[tuple[str, str], frozenset[str]]

CHILDREN: Rights = {
    ("", "services"): CHILD,
    ("", "serviceaccounts"): CHILD,
    ("apps", "deployments"): CHILD,
    ("autoscaling", "horizontalpodautoscalers"): CHILD,
    ("policy", "poddisruptionbudgets"): CHILD,
    ("networking.k8s.io", "networkpolicies"): CHILD,
    GATEWAY: CHILD,
    MONITORING: CHILD,
}
CLUSTER: Rights = CHILDREN | {
    ("microservice.dev", "microservices"): READ,
    ("microservice.dev", "microservices/status"): frozenset({"patch"}),
    ("microservice.dev", "microservices/finalizers"): frozenset({"update"}),
    ("", "pods"): frozenset({"get", "list"}),
    ("", "events"): frozenset({"create"}),
    ("apiextensions.k8s.io", "customresourcedefinitions"): READ,
}


def rights(role: Manifest) -> Rights:
    found: Rights = {}
    for rule in role["rules"]:
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                found[group, resource] = found.get((group, resource), frozenset()) | set(
                    rule["verbs"]
                )
    return found


def role_of_the_operator(manifests: list[Manifest]) -> Manifest:
    binding = only("ClusterRoleBinding", manifests)
    name = binding["roleRef"]["name"]
    return next(r for r in of_kind("ClusterRole", manifests) if r["metadata"]["name"] == name)


def test_the_cluster_role_is_exactly_the_published_table(render: Render) -> None:
    assert rights(role_of_the_operator(render(OPERATOR))) == CLUSTER


def test_every_child_kind_of_the_code_has_its_rights_and_no_other() -> None:
    kinds = {(builder.KIND.group, builder.KIND.plural) for builder in BUILDERS}
    assert kinds == CHILDREN.keys()


@pytest.mark.parametrize(("switch", "kind"), [("gateway", GATEWAY), ("monitoring", MONITORING)])
def test_an_optional_kind_that_is_switched_off_gives_no_rights(
    render: Render, switch: str, kind: tuple[str, str]
) -> None:
    role = role_of_the_operator(render(OPERATOR, "--set", f"{switch}.enabled=false"))
    assert CLUSTER.keys() - rights(role).keys() == {kind}


def test_only_its_own_lease_can_be_read_or_changed(render: Render) -> None:
    role = only("Role", render(OPERATOR))
    assert role["metadata"]["namespace"] == "microservice-operator-home"
    assert role["rules"] == [
        {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["create"]},
        {
            "apiGroups": ["coordination.k8s.io"],
            "resources": ["leases"],
            "resourceNames": ["microservice-operator"],
            "verbs": ["get", "list", "watch", "patch"],
        },
    ]


def test_the_binding_names_the_service_account_of_the_pods(render: Render) -> None:
    manifests = render(OPERATOR)
    account = only("ServiceAccount", manifests)["metadata"]
    subject = {"kind": "ServiceAccount", "name": account["name"], "namespace": account["namespace"]}
    assert only("ClusterRoleBinding", manifests)["subjects"] == [subject]
    assert only("RoleBinding", manifests)["subjects"] == [subject]
    pod = only("Deployment", manifests)["spec"]["template"]["spec"]
    assert pod["serviceAccountName"] == account["name"]


def test_users_get_rights_on_microservices_but_never_on_their_status(render: Render) -> None:
    roles = {
        label.rpartition("/aggregate-to-")[2]: rights(role)
        for role in of_kind("ClusterRole", render(OPERATOR))
        for label in role["metadata"]["labels"]
        if "/aggregate-to-" in label
    }
    key = ("microservice.dev", "microservices")
    write = READ | {"create", "update", "patch", "delete", "deletecollection"}
    assert roles == {"view": {key: READ}, "edit": {key: write}, "admin": {key: write}}


def test_the_security_page_publishes_the_same_table() -> None:
    page = (REPOSITORY / "docs" / "security.md").read_text()
    rows = re.findall(r"^\| (core|`[a-z0-9.]+`)[^|]* \| ([a-z/, ]+) \|", page, flags=re.MULTILINE)
    published = {
        ("" if group == "core" else group.strip("`"), resource.strip())
        for group, resources in rows
        for resource in resources.split(",")
    }
    assert published == CLUSTER.keys() | {("coordination.k8s.io", "leases")}


@pytest.mark.parametrize(("role", "verb", "resource", "allowed"), USERS)
def test_a_user_may_what_the_table_says(
    render: Render, role: str, verb: str, resource: str, allowed: bool
) -> None:
    """As the API server adds rules up: every ClusterRole labelled for the aggregate counts."""
    label = f"rbac.authorization.k8s.io/aggregate-to-{role}"
    given = [
        verb in rights(each).get(("microservice.dev", resource), frozenset())
        for each in of_kind("ClusterRole", render(OPERATOR))
        if each["metadata"]["labels"].get(label) == "true"
    ]
    assert any(given) is allowed


def test_users_get_no_rights_where_somebody_else_gives_them(render: Render) -> None:
    roles = of_kind("ClusterRole", render(OPERATOR, "--set", "userRoles.create=false"))
    assert len(roles) == 1


SOME = ("--set", "namespaces={shop,microservice-operator-home}")
HERE = {"shop", "microservice-operator-home"}
EVERYWHERE = ("apiextensions.k8s.io", "customresourcedefinitions")


def bound_in(manifests: list[Manifest]) -> dict[str, list[Rights]]:
    """By namespace ("": all), what bindings give to the operator."""
    given: dict[str, list[Rights]] = {}
    roles = {
        (each["kind"], each["metadata"].get("namespace"), each["metadata"]["name"]): rights(each)
        for each in of_kind("ClusterRole", manifests) + of_kind("Role", manifests)
    }
    for kind in ("ClusterRoleBinding", "RoleBinding"):
        for binding in of_kind(kind, manifests):
            namespace, refer = binding["metadata"].get("namespace"), binding["roleRef"]
            given.setdefault(namespace or "", []).append(
                roles[refer["kind"], namespace, refer["name"]]
            )
    return given


def test_with_namespaces_there_is_a_role_in_each_and_only_crds_are_seen_everywhere(
    render: Render,
) -> None:
    given = bound_in(render(OPERATOR, *SOME))
    working = {key: verbs for key, verbs in CLUSTER.items() if key != EVERYWHERE}
    assert given.keys() == HERE | {""}
    assert given[""] == [{EVERYWHERE: READ}]
    for namespace in HERE:
        assert working in given[namespace]


def test_without_the_right_to_watch_crds_nothing_is_seen_everywhere(render: Render) -> None:
    assert bound_in(render(OPERATOR, *SOME, "--set", "crds.watch=false")).keys() == HERE
    everywhere = bound_in(render(OPERATOR, "--set", "crds.watch=false"))[""]
    assert everywhere == [{k: v for k, v in CLUSTER.items() if k != EVERYWHERE}]


def test_no_two_objects_share_a_name_where_the_own_namespace_is_one_of_them(
    render: Render,
) -> None:
    places = [
        (each["kind"], each["metadata"].get("namespace"), each["metadata"]["name"])
        for each in render(OPERATOR, *SOME)
    ]
    assert len(places) == len(set(places))


def test_the_operator_is_told_its_namespaces(render: Render) -> None:
    def told(*args: str) -> list[str]:
        (container,) = only("Deployment", render(OPERATOR, *args))["spec"]["template"]["spec"][
            "containers"
        ]
        return [each["value"] for each in container["env"] if each["name"] == "NAMESPACES"]

    assert told() == []
    assert told(*SOME) == ["shop,microservice-operator-home"]
