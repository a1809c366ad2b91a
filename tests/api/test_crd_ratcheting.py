"""A rule that a later CRD tightens meets objects that were stored before it."""

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest
from tests.api.server import ApiServer

from microservice_operator.api.crd import crd
from microservice_operator.api.kinds import Kind

pytestmark = pytest.mark.api

MERGE = "application/merge-patch+json"
OLD = Kind("ratchet.microservice.dev/v1alpha1", "MicroService", "microservices")
DEFINITION = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{OLD.resource}"
TIGHTER = {"rule": "self.minReadySeconds < 5", "message": "minReadySeconds is too long now"}


@pytest.fixture
def stored(api_server: ApiServer, namespace: str) -> Iterator[str]:
    """The path of an object that the CRD took before it was tightened: a copy of the CRD in a
    group of its own, so that no other test meets it."""
    definition = _renamed(crd())
    assert api_server.apply(DEFINITION, definition).is_success
    _until(lambda: api_server.request("GET", OLD.path(namespace)).is_success)
    body = _body({"minReadySeconds": 10})
    assert api_server.request("POST", OLD.path(namespace), json=body).status_code == 201
    assert api_server.apply(DEFINITION, _tightened(definition)).is_success
    _until(lambda: _refused(api_server, namespace))
    yield OLD.path(namespace, "old")
    api_server.request("DELETE", DEFINITION).raise_for_status()


def test_an_old_object_is_refused_only_where_the_rules_own_node_changes(
    api_server: ApiServer, stored: str
) -> None:
    def patch(body: Any, path: str = stored) -> Any:
        return api_server.request("PATCH", path, json=body, content_type=MERGE)

    assert patch({"metadata": {"labels": {"team": "checkout"}}}).status_code == 200
    assert patch({"status": {"observedGeneration": 1}}, f"{stored}/status").status_code == 200
    assert patch({"spec": {"image": "shop/orders:2"}}).status_code == 200
    refused = patch({"spec": {"rollout": {"minReadySeconds": 11}}})
    assert refused.status_code == 422
    assert TIGHTER["message"] in refused.json()["message"]
    assert patch({"spec": {"rollout": {"minReadySeconds": 4}}}).status_code == 200


def _renamed(definition: dict[str, Any]) -> dict[str, Any]:
    renamed = deepcopy(definition)
    renamed["metadata"]["name"] = OLD.resource
    renamed["spec"]["group"] = OLD.group
    renamed["spec"]["names"] |= {"shortNames": [], "categories": []}
    return renamed


def _tightened(definition: dict[str, Any]) -> dict[str, Any]:
    tightened = deepcopy(definition)
    root = tightened["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    rollout = root["properties"]["spec"]["properties"]["rollout"]
    rollout["x-kubernetes-validations"].append(TIGHTER)
    return tightened


def _body(rollout: dict[str, Any], name: str = "old") -> dict[str, Any]:
    spec = {"image": "shop/orders:1", "rollout": rollout}
    metadata = {"name": name}
    return {"apiVersion": OLD.api_version, "kind": OLD.kind, "metadata": metadata, "spec": spec}


def _refused(server: ApiServer, namespace: str) -> bool:
    body = _body({"minReadySeconds": 10}, "new")
    return bool(
        server.request("POST", OLD.path(namespace), json=body, params={"dryRun": "All"}).is_error
    )


def _until(holds: Any) -> None:
    """Polls: nothing tells when a schema has taken effect."""
    for _ in range(600):
        if holds():
            return
    pytest.fail("the API server did not take the CRD")
