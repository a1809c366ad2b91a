"""The chart's role is all that is needed; and with one right less, only what needs it is missed."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import pytest
from tests.api import charted, rights
from tests.api.operator_process import Operators, Process, eventually
from tests.api.proxy import FaultProxy
from tests.api.rights import CLUSTER_RULES, LEASE_RULES
from tests.api.server import ApiServer
from tests.api.single_rights import (
    ASIDE,
    BY_PLURAL,
    OF_CHILDREN,
    OF_CRDS,
    OF_LEASE,
    OF_PODS,
    OF_SERVICES,
    Right,
    groups,
    without,
)
from tests.api.world import EVERY_KIND, World

from microservice_operator.desired import KINDS

pytestmark = pytest.mark.api

NOWHERE = {"nodeSelector": {"microservice.dev/no-such-node": "true"}}  # pods that never run
LEAST: dict[str, Any] = {  # asks for a Deployment and nothing else
    "ports": [],
    "replicas": 0,
    "serviceAccountName": "default",
    "access": {"isolation": "None"},
}
PORT = [{"name": "http", "port": 80, "targetPort": 8080}]
ASKING: dict[str, dict[str, Any]] = {  # what asks for one kind more
    "Deployment": {},
    "ServiceAccount": {"serviceAccountName": None},
    "Service": {"ports": PORT},
    "NetworkPolicy": {"access": {"isolation": "Ingress"}},
    "HorizontalPodAutoscaler": NOWHERE | {"replicas": None, "autoscaling": {"maxReplicas": 2}},
    "PodDisruptionBudget": NOWHERE | {"replicas": 2},
    "HTTPRoute": {"ports": PORT, "routes": EVERY_KIND["routes"]},
    "ServiceMonitor": {"ports": PORT, "observability": EVERY_KIND["observability"]},
}


def named(right: Right) -> str:
    return right.label


Alone = Callable[..., Process]


@pytest.fixture(scope="module")
def alone(
    api_server: ApiServer, session_proxy: FaultProxy, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Alone]:
    """Starts, in the whole cluster, an operator that lacks these rights."""
    running: list[Operators] = []

    def start(*gone: Right) -> Process:
        home = f"alone-{uuid4().hex[:10]}"
        make_namespace(api_server, home)
        made = Operators(api_server, session_proxy, home, tmp_path_factory.mktemp("alone"))
        running.append(made)
        rights.give(api_server, home, without(CLUSTER_RULES, gone))
        rights.give_at_home(api_server, home, without(LEASE_RULES, gone))
        return made.start(gone[0].label, wait=False)

    yield start
    for made in running:
        made.stop()
        rights.remove(api_server, made.namespace)
        path = f"/api/v1/namespaces/{made.namespace}"
        api_server.request("DELETE", path).raise_for_status()


def test_without_the_rights_on_crds_optional_kinds_are_used_all_the_same(
    alone: Alone, world: World
) -> None:
    process = alone(*OF_CRDS)
    eventually(process.ready, 90)
    world.create(replicas=0, observability=EVERY_KIND["observability"])
    world.until_ready()
    assert "ServiceMonitor" in world.children()
    assert process.stop() == 0


# the whole role


def test_with_the_role_of_the_chart_nothing_it_does_is_ever_refused(
    world: World, operator: Process, proxy: FaultProxy
) -> None:
    here = proxy.here()
    world.create(**EVERY_KIND)
    world.until_every_kind()
    world.until(lambda: world.condition("Available"))
    world.create("web2", replicas=0, observability=EVERY_KIND["observability"])
    world.until_ready("web2")
    world.change("web2", observability=None, ports=[])
    world.until(lambda: {"Service", "ServiceMonitor"}.isdisjoint(world.children("web2")))
    # A namespace of an earlier test that is being deleted refuses everything.
    mine = [s for s in proxy.requests[here:] if s.target.namespace in ("", world.namespace)]
    assert [seen.what for seen in mine if seen.code in (401, 403)] == []


# less rights in each of many namespaces, one operator for all of them


class Less(NamedTuple):
    """An operator whose Role lacks other rights in each namespace."""

    process: Process
    worlds: dict[Right, World]


@pytest.fixture(scope="module")
def less(
    api_server: ApiServer, current: Any, started: Operators, home: str, image: str
) -> Iterator[Less]:
    if current.process:
        current.process.stop()
    places = {f"{home}-{n}": group for n, group in enumerate(groups())}
    for name in places:
        make_namespace(api_server, name)
    rights.give(api_server, home, [])
    with charted.installed(api_server, roles(home, places)):
        process = started.start(namespaces=",".join(places))
        worlds = {
            right: World(api_server, name, image)
            for name, group in places.items()
            for right in group
        }
        for right in OF_PODS:  # it takes 10 s until a look at the pods is worth a request
            worlds[right].create("failing", **(LEAST | NOWHERE | {"replicas": 1}))
        yield Less(process, worlds)
        process.stop()
    for name in places:
        api_server.request("DELETE", f"/api/v1/namespaces/{name}").raise_for_status()
    rights.give(api_server, home, CLUSTER_RULES)


def make_namespace(server: ApiServer, name: str) -> None:
    body = {"metadata": {"name": name}}
    server.request("POST", "/api/v1/namespaces", json=body).raise_for_status()


def roles(home: str, places: dict[str, list[Right]]) -> list[Any]:
    """Those of the chart, each without the rights of its group."""
    manifests = charted.objects("rbac", "--set", f"namespaces={{{','.join(places)}}}", home=home)
    for each in manifests:
        if each["kind"] == "Role":
            gone = places.get(each["metadata"]["namespace"], ())
            each["rules"] = without(each["rules"], gone)
    return manifests


@pytest.mark.parametrize("right", OF_CHILDREN, ids=named)
def test_a_missing_right_on_a_child_kind_is_told_where_it_is_needed_and_only_there(
    less: Less, right: Right
) -> None:
    world, kind = less.worlds[right], BY_PLURAL[right.resource].kind
    asking, other = f"asking-{right.resource}", f"other-{right.resource}"
    world.create(asking, **(LEAST | ASKING[kind]))
    world.create(other, **LEAST)
    if right.verb == "delete":
        missed = kind != "Deployment"  # which is never pruned
        world.until(lambda: kind in world.children(asking))
        world.change(asking, **{key: LEAST.get(key) for key in ASKING[kind]} | {"replicas": 0})
    else:
        missed = True
    if missed:
        world.until(lambda: world.reason("Stalled", asking) == "Forbidden")
        told = world.condition("Ready", asking)["message"]
        assert told == f"the operator may not {right.words}"
    if kind == "Deployment" and right.verb != "delete":
        world.until(lambda: world.reason("Stalled", other) == "Forbidden")
    else:
        world.until_ready(other)
    assert less.process.running()


@pytest.mark.parametrize("right", OF_SERVICES, ids=named)
def test_a_namespace_whose_services_are_not_for_us_is_left_alone(less: Less, right: Right) -> None:
    world = less.worlds[right]
    world.create(**LEAST)
    assert f"namespace {world.namespace} is left alone: no right to {right.words}" in (
        less.process.log.read_text()
    )
    marker(less, ASIDE[0])
    assert world.children() == set()
    assert world.status() == {"observedGeneration": -1}


@pytest.mark.parametrize("right", [right for right in ASIDE if right not in OF_PODS], ids=named)
def test_a_right_that_is_not_essential_is_not_missed(less: Less, right: Right) -> None:
    """Events among them: the transition to Stalled has one, which is refused."""
    world = less.worlds[right]
    world.create(**LEAST)
    world.until_ready()
    foreign = {"metadata": {"name": "taken"}, "spec": {"ports": [{"port": 80}]}}
    world.post(KINDS["Service"], foreign)
    world.create("taken", **(LEAST | ASKING["Service"]))
    world.until(lambda: world.reason("Stalled", "taken") == "NotOwned")
    if right.resource == "events":
        marker(less, right)
        assert world.events() == []
    else:
        world.until(lambda: world.events("NotOwned"))


@pytest.mark.parametrize("right", OF_PODS, ids=named)
def test_without_a_look_at_the_pods_only_the_diagnosis_is_missing(
    less: Less, right: Right, proxy: FaultProxy
) -> None:
    world = less.worlds[right]
    if right.verb == "get":  # they are listed
        world.until(lambda: world.reason("Ready", "failing") == "Unschedulable", 60)
        return
    blind = "the operator may not list pods"
    world.until(lambda: blind in (world.condition("Ready", "failing") or {}).get("message", ""), 60)
    assert world.reason("Reconciling", "failing") == "Progressing"
    here = proxy.here()
    world.change("failing", replicas=0)
    world.until_ready("failing")
    refused = [s for s in proxy.requests[here:] if s.code == 403 and s.resource == "pods"]
    assert refused == []


def marker(less: Less, right: Right) -> None:
    """A service made now, elsewhere, has been seen."""
    world = less.worlds[right]
    name = f"marker-{len(world.names())}"
    world.create(name, **LEAST)
    world.until_ready(name)


# without what it cannot do without


@pytest.fixture(scope="module")
def fatal(alone: Alone) -> dict[Right, Process]:
    """All at once: each is soon over."""
    return {right: alone(right) for right in [*OF_SERVICES, *OF_LEASE]}


@pytest.mark.parametrize("right", [*OF_SERVICES, *OF_LEASE], ids=named)
def test_without_an_essential_right_the_start_ends_with_one_sentence(
    fatal: dict[Right, Process], right: Right
) -> None:
    process = fatal[right]
    assert process.exit_status(60) == 1
    lines = Path(process.log).read_text().strip().splitlines()
    sentence = f"microservice-operator: the operator may not {right.words}: bind its service"
    assert lines[-1].startswith(sentence)
    assert not [line for line in lines if "Traceback" in line]
