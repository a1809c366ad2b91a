"""The chart's admission policies on a real API server: who may ask for what."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import httpx
import pytest
from tests.api import charted
from tests.api.operator_process import eventually
from tests.api.server import ApiServer, fresh_namespace
from tests.api.users import PORTS, ROUTE, WRITER, User

from microservice_operator.api.kinds import MICROSERVICE, Kind
from microservice_operator.desired import KINDS

pytestmark = pytest.mark.api

ASKING: dict[str, tuple[dict[str, Any], str]] = {  # kind: what asks for it, and how it is told
    "Deployment": ({}, "deployments.apps"),
    "ServiceAccount": ({"serviceAccountName": None}, "serviceaccounts"),
    "Service": (PORTS, "services"),
    "HorizontalPodAutoscaler": (
        {"replicas": None, "autoscaling": {"maxReplicas": 3}},
        "horizontalpodautoscalers.autoscaling",
    ),
    "PodDisruptionBudget": ({"replicas": 2}, "poddisruptionbudgets.policy"),
    "HTTPRoute": (PORTS | {"routes": [ROUTE]}, "httproutes.gateway.networking.k8s.io"),
    "NetworkPolicy": (
        {"access": {"isolation": "Full"}},
        "networkpolicies.networking.k8s.io",
    ),
    "ServiceMonitor": (
        PORTS | {"observability": {"metrics": {"port": "http"}}},
        "servicemonitors.monitoring.coreos.com",
    ),
}
ALLOWED = ["shop.example.com", "*.dev.example.com"]
OTHERS = ["other.example.com"]


class Place(NamedTuple):
    """Two namespaces under the policies and one that is not."""

    shop: str
    other: str
    free: str


@pytest.fixture(scope="module")
def place(api_server: ApiServer) -> Iterator[Place]:
    with (
        fresh_namespace(api_server) as shop,
        fresh_namespace(api_server) as other,
        fresh_namespace(api_server) as free,
    ):
        hosts = f'{{"{shop}":["{ALLOWED[0]}","{ALLOWED[1]}"],"{other}":["{OTHERS[0]}"]}}'
        switches = ("authors", "hostnames", "serviceAccounts")
        on = ",".join(f"policies.{name}.enabled=true" for name in switches)
        values = ("--set", f"{on},namespaces={{{shop},{other}}}")
        more = ("--set-json", f"policies.hostnames.namespaces={hosts}")
        made = charted.objects("policies", *values, *more, release=f"p-{shop}", home="home")
        with charted.installed(api_server, made):
            stranger = User(api_server, f"stranger-{shop}").may(shop, WRITER).may(other, WRITER)
            for namespace in (shop, other):
                eventually(lambda n=namespace: refused(stranger.create(n, dry=True)), 30)
            yield Place(shop, other, free)


def refused(answer: httpx.Response) -> bool:
    return answer.status_code == 403 and "ValidatingAdmissionPolicy" in answer.text


def said(answer: httpx.Response) -> str:
    """The sentence of a refusal by a policy."""
    assert refused(answer), answer.text
    return str(answer.json()["message"])


def creating(kind: Kind) -> dict[str, Any]:
    return {"apiGroups": [kind.group], "resources": [kind.plural], "verbs": ["create"]}


def using(account: str) -> dict[str, Any]:
    rule = {"apiGroups": [""], "resources": ["serviceaccounts"], "verbs": ["use"]}
    return rule | {"resourceNames": [account]}


USE = using("default")
EVERY = [creating(kind) for kind in KINDS.values()]


@pytest.fixture(scope="module")
def builder(api_server: ApiServer, place: Place) -> User:
    """Who may create every kind in the namespaces with policies."""
    user = User(api_server, f"builder-{place.shop}")
    return user.may(place.shop, WRITER, USE, *EVERY).may(place.other, WRITER, USE, *EVERY)


# authors


@pytest.mark.parametrize("kind", ASKING)
def test_who_may_not_create_a_kind_may_not_ask_for_it_either(
    api_server: ApiServer, place: Place, kind: str
) -> None:
    spec, resource = ASKING[kind]
    allowed = [creating(other) for name, other in KINDS.items() if name != kind]
    user = User(api_server, f"without-{kind.lower()}-{place.shop}")
    user.may(place.shop, WRITER, USE, *allowed)
    message = said(user.create(place.shop, f"asks-{kind.lower()}"[:46], **spec))
    assert f"{user.name} may not create {resource} in namespace {place.shop}" in message
    if kind != "Deployment":  # which every spec asks for
        assert user.create(place.shop, f"not-{kind.lower()}"[:46]).is_success


@pytest.mark.parametrize("kind", ASKING)
def test_who_may_create_a_kind_may_ask_for_it(builder: User, place: Place, kind: str) -> None:
    answer = builder.create(place.shop, f"built-{kind.lower()}"[:46], **ASKING[kind][0])
    assert answer.is_success, answer.text


def test_the_right_in_one_namespace_is_none_in_another(api_server: ApiServer, place: Place) -> None:
    user = User(api_server, f"local-{place.shop}").may(place.shop, WRITER, USE, *EVERY)
    user.may(place.other, WRITER, USE)
    assert user.create(place.shop, "local").is_success
    assert place.other in said(user.create(place.other, "local"))


def test_where_no_policy_is_the_right_on_microservices_is_enough(
    api_server: ApiServer, place: Place
) -> None:
    user = User(api_server, f"free-{place.free}").may(place.free, WRITER)
    assert user.create(place.free, "free", **ASKING["HTTPRoute"][0]).is_success


def test_a_change_of_labels_asks_for_no_right(
    api_server: ApiServer, builder: User, place: Place
) -> None:
    assert builder.create(place.shop, "kept").is_success
    poor = User(api_server, f"poor-{place.shop}").may(place.shop, WRITER)
    path, merge = MICROSERVICE.path(place.shop, "kept"), "application/merge-patch+json"
    label = {"metadata": {"labels": {"team": "checkout"}}}
    assert poor.request("PATCH", path, json=label, content_type=merge).is_success
    image = {"spec": {"image": "registry.example.com/app:2"}}
    said(poor.request("PATCH", path, json=image, content_type=merge))


def test_a_gitops_controller_that_impersonates_its_tenant_has_the_tenants_rights(
    api_server: ApiServer, place: Place
) -> None:
    """As with `spec.serviceAccountName` of a Flux Kustomization: it acts as that account."""
    account = {"kind": "ServiceAccount", "name": "tenant", "namespace": place.shop}
    tenant = User(api_server, f"system:serviceaccount:{place.shop}:tenant")
    tenant.may(place.shop, WRITER, USE, who=account)
    message = said(tenant.create(place.shop, "by-git"))
    assert f"{tenant.name} may not create deployments.apps" in message
    tenant.may(place.shop, WRITER, USE, creating(KINDS["Deployment"]), who=account)
    assert tenant.create(place.shop, "by-git").is_success


def test_a_controller_with_all_rights_passes_whoever_wrote_the_commit(
    api_server: ApiServer, place: Place
) -> None:
    everything = User(api_server, f"everything-{place.shop}")
    everything.may(place.shop, {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]})
    assert everything.create(place.shop, "by-all", serviceAccountName="robot").is_success


# ServiceAccounts and host names


def test_a_named_account_needs_the_right_to_use_it(
    api_server: ApiServer, builder: User, place: Place
) -> None:
    message = said(builder.create(place.shop, "account", serviceAccountName="robot"))
    assert "may not use the ServiceAccount robot" in message
    user = User(api_server, f"robot-{place.shop}")
    user.may(place.shop, WRITER, using("robot"), *EVERY)
    assert user.create(place.shop, "account", serviceAccountName="robot").is_success


@pytest.mark.parametrize(
    ("host", "shop", "other"),
    [
        ("shop.example.com", True, False),
        ("a.dev.example.com", True, False),
        ("dev.example.com", False, False),
        ("other.example.com", False, True),
        ("evil-shop.example.com", False, False),
        ("nobody.example.com", False, False),
    ],
)
def test_a_host_name_is_for_the_namespace_that_has_it(
    builder: User, place: Place, host: str, shop: bool, other: bool
) -> None:
    """The same host in two namespaces."""
    spec = PORTS | {"routes": [{"name": "main", "hostnames": [host]}]}
    for namespace, allowed, names in (
        (place.shop, shop, ALLOWED),
        (place.other, other, OTHERS),
    ):
        answer = builder.create(namespace, dry=True, **spec)
        if allowed:
            assert answer.is_success, answer.text
        else:
            expected = f"namespace {namespace} may use the host names [{', '.join(names)}]"
            assert expected in said(answer)


def test_a_route_without_host_names_would_take_part_in_all_of_them(
    builder: User, place: Place
) -> None:
    answer = builder.create(place.shop, dry=True, **PORTS, routes=[{"name": "main"}])
    assert "takes part in every host of its Gateway" in said(answer)
