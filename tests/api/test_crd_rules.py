"""The CRD on a real API server: what it refuses, in which words, and what it fills in."""

from collections.abc import Iterator
from typing import Any

import pytest
from tests.api.server import ApiServer, fresh_namespace
from tests.rule_rows import BOUNDS, NAMES, NULLS, ROWS, Row

from microservice_operator.api.kinds import MICROSERVICE

pytestmark = pytest.mark.api


@pytest.fixture(scope="module")
def home(api_server: ApiServer) -> Iterator[str]:
    with fresh_namespace(api_server) as namespace:
        yield namespace


def attempt(server: ApiServer, namespace: str, spec: Any, name: str = "orders") -> Any:
    """The answer to a create that is only tried."""
    body = {
        "apiVersion": MICROSERVICE.api_version,
        "kind": MICROSERVICE.kind,
        "metadata": {"name": name},
        "spec": {"image": "shop/orders:1", **spec},
    }
    params = {"dryRun": "All", "fieldValidation": "Strict"}
    return server.request("POST", MICROSERVICE.path(namespace), json=body, params=params).json()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.message)
def test_a_rule_refuses_and_accepts(api_server: ApiServer, home: str, row: Row) -> None:
    accepted = attempt(api_server, home, row.accepted)
    assert accepted["kind"] == MICROSERVICE.kind, accepted["message"]
    refused = attempt(api_server, home, row.refused)
    if row.python_only:
        assert refused["kind"] == MICROSERVICE.kind
    else:
        assert row.message in refused["message"]


@pytest.mark.parametrize(("spec", "where"), BOUNDS, ids=lambda part: str(part)[:60])
def test_bounds_are_enforced_and_the_field_is_named(
    api_server: ApiServer, home: str, spec: Any, where: str
) -> None:
    refused = attempt(api_server, home, spec)
    assert refused["kind"] == "Status", "it was accepted"
    assert where in refused["message"]


@pytest.mark.parametrize("spec", NULLS, ids=str)
def test_a_null_is_as_if_it_was_not_written(
    api_server: ApiServer, home: str, spec: dict[str, Any]
) -> None:
    assert attempt(api_server, home, spec)["kind"] == MICROSERVICE.kind


@pytest.mark.parametrize(("name", "accepted"), NAMES)
def test_names_leave_room_for_the_children(
    api_server: ApiServer, home: str, name: str, accepted: bool
) -> None:
    answer = attempt(api_server, home, {}, name)
    assert (answer["kind"] == MICROSERVICE.kind) is accepted
    assert accepted or "choose another name" in answer["message"] or "RFC 1123" in answer["message"]


def test_an_init_container_cannot_take_the_main_containers_name(
    api_server: ApiServer, home: str
) -> None:
    spec = {"initContainers": [{"name": "orders", "image": "x"}]}
    assert "rename the initContainer" in attempt(api_server, home, spec)["message"]
    assert attempt(api_server, home, spec, "payments")["kind"] == MICROSERVICE.kind


def test_a_new_object_has_its_defaults_and_is_not_green(api_server: ApiServer, home: str) -> None:
    made = attempt(api_server, home, {"rollout": {"rollingUpdate": {}}, "routes": [{"name": "a"}]})
    assert made["status"] == {"observedGeneration": -1}
    assert made["spec"] == {
        "image": "shop/orders:1",
        "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}],
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "terminationGracePeriodSeconds": 30,
        "automountServiceAccountToken": False,
        "suspend": False,
        "routes": [{"name": "a"}],
        "rollout": {
            "strategy": "RollingUpdate",
            "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": 0},
            "minReadySeconds": 0,
            "progressDeadlineSeconds": 300,
        },
    }


def test_kubectl_explain_has_a_sentence_for_every_field_of_the_spec(
    api_server: ApiServer,
) -> None:
    document = api_server.request("GET", "/openapi/v3/apis/microservice.dev/v1alpha1").json()
    (schema,) = (
        s for n, s in document["components"]["schemas"].items() if n.endswith(".MicroService")
    )
    fields = schema["properties"]["spec"]["properties"]
    assert all(field["description"].endswith(".") for field in fields.values())
