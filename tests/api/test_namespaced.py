"""The operator with the chart's Roles in some namespaces, and no right anywhere else."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple
from uuid import uuid4

import pytest
from tests.api import charted, rights
from tests.api.operator_process import Operators, Process, eventually
from tests.api.proxy import FaultProxy
from tests.api.server import ApiServer, fresh_namespace
from tests.api.world import EVERY_KIND, World

from microservice_operator.api.kinds import MICROSERVICE
from microservice_operator.desired import KINDS

pytestmark = pytest.mark.api

CRDS = "customresourcedefinitions.apiextensions.k8s.io"
REVIEWS = "selfsubjectaccessreviews.authorization.k8s.io"
DEFINITION = (
    "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/servicemonitors.monitoring.coreos.com"
)


class Place(NamedTuple):
    """Two listed namespaces, one that is not, one that is listed and does not exist."""

    blue: World
    red: World
    unlisted: World
    missing: str
    process: Process
    home: str
    since: int  # its first request


@pytest.fixture(scope="module")
def place(
    api_server: ApiServer, session_proxy: FaultProxy, started: Operators, home: str, image: str
) -> Iterator[Place]:
    rights.give(api_server, home, [])
    missing = f"test-{uuid4().hex[:10]}"
    with (
        fresh_namespace(api_server) as blue,
        fresh_namespace(api_server) as red,
        fresh_namespace(api_server) as unlisted,
        charted.installed(api_server, roles(home, blue, red)),
    ):
        worlds = [World(api_server, name, image) for name in (blue, red, unlisted)]
        worlds[2].create()
        since = session_proxy.here()
        process = started.start(namespaces=f"{blue},{red},{missing}")
        yield Place(*worlds, missing, process, home, since)
        process.stop()


def roles(home: str, *namespaces: str) -> list[Any]:
    """What the chart makes for these namespaces."""
    values = f"namespaces={{{','.join(namespaces)}}}"
    return charted.objects("rbac", "--set", values, home=home)


def test_services_of_each_listed_namespace_get_everything_they_ask_for(place: Place) -> None:
    for world in (place.blue, place.red):
        world.create(**EVERY_KIND)
    for world in (place.blue, place.red):
        world.until_every_kind()
        world.until(lambda world=world: world.condition("Available"))


def test_a_change_a_repair_and_a_removed_feature_arrive(place: Place) -> None:
    world = place.blue
    world.create("small", replicas=0, observability={"metrics": {"port": "http"}})
    world.until_ready("small")
    assert "ServiceMonitor" in world.children("small")
    world.change("small", observability=None)
    world.until(lambda: "ServiceMonitor" not in world.children("small"))
    world.delete(KINDS["Service"], "small")
    world.until(lambda: "Service" in world.children("small"))


def test_a_service_of_another_namespace_is_not_touched(place: Place) -> None:
    place.blue.marker()
    assert place.unlisted.children() == set()
    assert place.unlisted.status() == {"observedGeneration": -1}


def test_nothing_outside_the_listed_namespaces_is_ever_asked_for(
    place: Place, session_proxy: FaultProxy
) -> None:
    place.red.marker()
    listed = {place.blue.namespace, place.red.namespace, place.missing, place.home}
    asked = {
        (seen.resource, seen.target.namespace)
        for seen in session_proxy.requests[place.since :]
        if seen.who == place.process.name and seen.resource not in ("", REVIEWS)
    }
    assert {pair for pair in asked if pair[1] not in listed} == {(CRDS, "")}


def test_a_listed_namespace_that_does_not_exist_is_named_and_stops_nobody(place: Place) -> None:
    assert f"namespace {place.missing} is left alone: no right to get microservices" in (
        place.process.log.read_text()
    )
    gap = f'forbidden{{kind="MicroService",service_namespace="{place.missing}"}} 1.0'
    assert gap in place.process.metrics()


def test_an_optional_kind_that_comes_later_is_used_in_every_namespace(
    place: Place, api_server: ApiServer
) -> None:
    with uninstalled(api_server, DEFINITION):
        for world in (place.blue, place.red):
            world.create("metered", replicas=0, observability={"metrics": {"port": "http"}})
            world.until(lambda world=world: world.reason("MonitoringReady", "metered"))
            assert world.reason("MonitoringReady", "metered") == "CRDNotInstalled"
    for world in (place.blue, place.red):
        world.until(lambda world=world: "ServiceMonitor" in world.children("metered"), 60)


@contextmanager
def uninstalled(server: ApiServer, path: str) -> Iterator[None]:
    """The cluster without this CRD for a while; the other tests of this session need it."""
    crd = server.request("GET", path).json()
    server.request("DELETE", path).raise_for_status()
    try:
        eventually(lambda: server.request("GET", path).status_code == 404, 30)
        yield
    finally:
        fresh = {key: crd[key] for key in ("apiVersion", "kind", "spec")}
        fresh |= {"metadata": {"name": crd["metadata"]["name"]}}
        assert server.apply(path, fresh).is_success


@pytest.mark.long
def test_the_listed_namespace_is_used_once_it_is_there(
    place: Place, api_server: ApiServer, image: str
) -> None:
    """A minute or so: kopf asks every 30 s, and another 30 s pass until rights are asked again."""
    body = {"metadata": {"name": place.missing}}
    api_server.request("POST", "/api/v1/namespaces", json=body).raise_for_status()
    world = World(api_server, place.missing, image)
    new = [
        each
        for each in roles(place.home, place.missing)
        if each["metadata"].get("namespace") == place.missing
    ]
    with charted.installed(api_server, new):
        world.create(replicas=0)
        world.until_ready(seconds=120)
        api_server.request("DELETE", MICROSERVICE.path(place.missing, "web")).raise_for_status()
    api_server.request("DELETE", f"/api/v1/namespaces/{place.missing}").raise_for_status()
