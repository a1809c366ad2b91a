"""Kinds that a cluster may lack: they come and go while the operator runs.

CRDs are of the whole cluster, so these tests put back what they take away."""

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

import pytest
from tests.api.operator_process import Process, eventually
from tests.api.server import ApiServer
from tests.api.world import World

from microservice_operator.api.kinds import MICROSERVICE, Kind
from microservice_operator.cluster import DEFINITION
from microservice_operator.desired import KINDS

pytestmark = pytest.mark.api

USED_WITHIN = 60  # seconds
ASKING: dict[str, dict[str, Any]] = {
    "HTTPRoute": {"routes": [{"name": "main", "matches": [{"path": {"value": "/web"}}]}]},
    "ServiceMonitor": {"observability": {"metrics": {"port": "http"}}},
}


class Definition:
    """One CRD, which can be taken away and put back."""

    def __init__(self, server: ApiServer, kind: Kind) -> None:
        self.kind = kind
        self._server = server
        self._path = DEFINITION.path(name=kind.resource)
        live = server.request("GET", self._path).raise_for_status().json()
        metadata = {k: live["metadata"].get(k) for k in ("name", "annotations", "labels")}
        self.body = {k: live[k] for k in ("apiVersion", "kind", "spec")} | {"metadata": metadata}

    def remove(self) -> None:
        self._server.request("DELETE", self._path).raise_for_status()
        eventually(lambda: self._server.request("GET", self._path).status_code == 404, 30)

    def install(self) -> None:
        answer = self._server.apply(self._path, self.body)
        assert answer.is_success, answer.text
        eventually(self.served, 30)

    def serve_only_another_version(self) -> None:
        """As after an upgrade that dropped the one we know."""
        body = deepcopy(self.body)
        stored = next(v for v in body["spec"]["versions"] if v["storage"])
        other = deepcopy(stored) | {"name": "v9", "storage": False, "served": True}
        body["spec"]["versions"] = [
            *({**version, "served": False} for version in body["spec"]["versions"]),
            other,
        ]
        answer = self._server.apply(self._path, body)
        assert answer.is_success, answer.text
        eventually(lambda: not self.served(), 30)

    def served(self) -> bool:
        return self._server.request("GET", self.kind.path()).is_success


@contextmanager
def spared(definition: Definition) -> Iterator[Definition]:
    try:
        yield definition
    finally:
        definition.install()


def state(world: World, kind: str) -> tuple[str, str]:
    """State and reason of a child, as the status of the current generation has them."""
    live = world.get(MICROSERVICE)
    if live["status"]["observedGeneration"] != live["metadata"]["generation"]:
        return "", ""
    found = (r for r in live["status"].get("resources", ()) if r["kind"] == kind)
    return next(((r["state"], r.get("reason", "")) for r in found), ("", ""))


MISSING = ("Skipped", "CRDNotInstalled")
USED = ("Applied", "")


@pytest.mark.parametrize("name", ASKING)
def test_a_kind_that_comes_and_goes_is_used_while_it_is_there(
    world: World, operator: Process, api_server: ApiServer, name: str
) -> None:
    with spared(Definition(api_server, KINDS[name])) as definition:
        definition.remove()
        world.create(replicas=0, **ASKING[name])
        world.until(lambda: state(world, name) == MISSING, USED_WITHIN)
        definition.install()
        world.until(lambda: state(world, name) == USED and world.get(KINDS[name]), USED_WITHIN)
        definition.remove()
        world.until(lambda: state(world, name) == MISSING, USED_WITHIN)
        world.change(env=[{"name": "RELEASE", "value": "2"}])
        world.until(lambda: state(world, name) == MISSING)
        world.marker()
    world.until(lambda: state(world, name) == USED and world.get(KINDS[name]), USED_WITHIN)
    assert operator.running()


def test_a_kind_that_is_served_in_another_version_only_counts_as_missing(
    world: World, operator: Process, api_server: ApiServer
) -> None:
    name = "ServiceMonitor"
    world.create(replicas=0, **ASKING[name])
    world.until(lambda: state(world, name) == USED, USED_WITHIN)
    with spared(Definition(api_server, KINDS[name])) as definition:
        definition.serve_only_another_version()
        world.until(lambda: state(world, name) == MISSING, USED_WITHIN)
        world.change(env=[{"name": "RELEASE", "value": "2"}])
        world.until_ready()
        assert state(world, name) == MISSING
    world.until(lambda: state(world, name) == USED, USED_WITHIN)
    assert operator.running()
