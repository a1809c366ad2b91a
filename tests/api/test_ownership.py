"""Objects of others that have the names of our children, and what it takes to be ours."""

from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

import pytest
from tests.api.fake_pods import FAKE
from tests.api.operator_process import Process
from tests.api.server import ApiServer, fresh_namespace
from tests.api.world import DRIFT, EVERY_KIND, World, owned_part

from microservice_operator import names
from microservice_operator.api.kinds import MICROSERVICE, Kind
from microservice_operator.desired import KINDS

pytestmark = pytest.mark.api

CONFIG_MAP = Kind("v1", "ConfigMap", "configmaps")
SELECTOR = {"matchLabels": {"app": "legacy"}}
CONTAINER = {"name": "legacy", "image": "legacy:1"}
TEMPLATE = {"metadata": {"labels": {"app": "legacy"}}, "spec": {"containers": [CONTAINER]}}
# Of each kind, the least that an API server takes and that moves nothing.
FOREIGN: dict[str, Any] = {
    "ServiceAccount": {},
    "Deployment": {"spec": {"replicas": 0, "selector": SELECTOR, "template": TEMPLATE}},
    "Service": {"spec": {"selector": {"app": "legacy"}, "ports": [{"port": 80}]}},
    "HorizontalPodAutoscaler": {
        "spec": {
            "maxReplicas": 2,
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "legacy"},
        }
    },
    "PodDisruptionBudget": {"spec": {"minAvailable": 0, "selector": SELECTOR}},
    "HTTPRoute": {"spec": {"hostnames": ["legacy.example.com"]}},
    "NetworkPolicy": {"spec": {"podSelector": SELECTOR}},
    "ServiceMonitor": {"spec": {"selector": {}, "endpoints": []}},
}
# Their own controllers write a status once.
TALKATIVE = ("Deployment", "HorizontalPodAutoscaler", "PodDisruptionBudget")
SUSPENDED = EVERY_KIND | {"suspend": True}
HOLD = "tests.example.com/hold"  # a finalizer


def bare(world: World, kind: Kind) -> None:
    """Of nobody."""
    world.post(kind, {"metadata": {"name": "bare"}, **deepcopy(FOREIGN[kind.kind])})


def controlled(world: World, kind: Kind) -> None:
    """Of another controller, one that exists: else the garbage collector would come."""
    boss = world.get(CONFIG_MAP, "boss") or world.post(CONFIG_MAP, {"metadata": {"name": "boss"}})
    owner = {**reference(boss), "apiVersion": "v1", "kind": "ConfigMap"}
    metadata = {"name": "controlled", "ownerReferences": [owner]}
    world.post(kind, {"metadata": metadata, **deepcopy(FOREIGN[kind.kind])})


def dressed(world: World, kind: Kind) -> None:
    """With our labels, and written by a field manager of our name."""
    labels = {
        "app.kubernetes.io/name": "dressed",
        "app.kubernetes.io/managed-by": names.MANAGER,
        names.NAME: "dressed",
    }
    body = {"apiVersion": kind.api_version, "kind": kind.kind, **deepcopy(FOREIGN[kind.kind])}
    body["metadata"] = {"name": "dressed", "labels": labels}
    answer = world.server.apply(kind.path(world.namespace, "dressed"), body, names.MANAGER)
    assert answer.is_success, answer.text


MAKERS: tuple[Callable[[World, Kind], None], ...] = (bare, controlled, dressed)
WAYS = [make.__name__ for make in MAKERS]


def reference(live: Any) -> Any:
    """To a controlling owner."""
    metadata = live["metadata"]
    return {
        "apiVersion": MICROSERVICE.api_version,
        "kind": MICROSERVICE.kind,
        "name": metadata["name"],
        "uid": metadata["uid"],
        "controller": True,
    }


def settled(world: World, kind: Kind, name: str) -> Any:
    """Once its own controller has said what it has to say."""
    live = world.get(kind, name)
    status = live.get("status", {})
    if kind.kind == "HorizontalPodAutoscaler":
        return live if status.get("conditions") else None
    seen = kind.kind not in TALKATIVE or status.get("observedGeneration")
    return live if seen else None


def told(world: World, name: str, state: str) -> set[str]:
    """Kinds whose child is in this state, as the status of the current generation has them."""
    live = world.get(MICROSERVICE, name)
    if live["status"]["observedGeneration"] != live["metadata"]["generation"]:
        return set()
    return {r["kind"] for r in live["status"].get("resources", ()) if r["state"] == state}


@pytest.mark.parametrize("name", list(KINDS))
def test_a_foreign_object_stays_byte_identical(world: World, operator: Process, name: str) -> None:
    kind, others = KINDS[name], set(KINDS) - {name}
    for make in MAKERS:
        make(world, kind)
    before = {way: world.until(lambda: settled(world, kind, way), 40) for way in WAYS}  # noqa: B023
    for way in WAYS:
        world.create(way, **SUSPENDED)
    for way in WAYS:
        world.until(lambda: told(world, way, "NotOwned") == {name})  # noqa: B023
        assert told(world, way, "Applied") == others
        stalled = world.condition("Stalled", way)
        assert stalled["reason"] == "NotOwned"
        assert f"{name} {way} exists already" in world.condition("Ready", way)["message"]
        assert ours(world, way) == others, "the rest is made"
        world.change(way, **feature_off(name))
    for way in WAYS:
        world.until(lambda: world.reason("Stalled", way) == "NotOwned")  # noqa: B023
        assert ours(world, way) == others, "nothing is pruned"
    world.delete(MICROSERVICE, "bare")
    world.marker()
    assert {way: world.get(kind, way) for way in WAYS} == before


def feature_off(name: str) -> dict[str, Any]:
    """Takes another child out of the spec than the one of this kind."""
    return {"observability": None} if name == "HTTPRoute" else {"routes": None}


def ours(world: World, name: str) -> set[str]:
    """Kinds of which the MicroService controls an object of its name."""
    uid = world.get(MICROSERVICE, name)["metadata"]["uid"]
    live = ((kind, world.get(kind, name)) for kind in KINDS.values())
    return {k.kind for k, obj in live if obj and names.controller(obj["metadata"]) == uid}


def test_what_is_released_by_hand_is_left_alone_and_what_is_given_by_hand_is_taken(
    world: World, operator: Process
) -> None:
    owner = reference(world.create(**SUSPENDED))
    world.until(lambda: told(world, "web", "Applied") == set(KINDS))
    for kind in KINDS.values():
        world.until(lambda: settled(world, kind, "web"), 40)  # noqa: B023
        world.patch(kind, "web", {"metadata": {"ownerReferences": None}})
    before = {kind: world.get(kind) for kind in KINDS.values()}
    world.until(lambda: told(world, "web", "NotOwned") == set(KINDS))
    world.marker()
    assert {kind: world.get(kind) for kind in KINDS.values()} == before
    for kind in KINDS.values():
        world.patch(kind, "web", {"metadata": {"ownerReferences": [owner]}})
    world.until(lambda: told(world, "web", "Applied") == set(KINDS))
    service = KINDS["Service"]
    wanted = owned_part(world.get(service))
    world.patch(service, "web", DRIFT["Service"])
    world.until(lambda: owned_part(world.get(service)) == wanted, 5)


def test_an_object_without_our_label_is_taken_when_it_is_given_by_hand(
    world: World, operator: Process
) -> None:
    service = KINDS["Service"]
    world.post(service, {"metadata": {"name": "web"}, **deepcopy(FOREIGN["Service"])})
    owner = reference(world.create(replicas=0))
    world.until(lambda: world.reason("Stalled") == "NotOwned")
    world.patch(service, "web", {"metadata": {"ownerReferences": [owner]}})
    world.change(env=[{"name": "RELEASE", "value": "2"}])  # any change is a reason to look again
    world.until_ready()
    assert world.get(service)["metadata"]["labels"][names.NAME] == "web"
    assert world.get(service)["spec"]["selector"][names.NAME] == "web"


def test_what_is_left_of_a_predecessor_is_waited_for_and_not_touched(
    world: World, operator: Process
) -> None:
    old = {"metadata": {"name": "web", "uid": "00000000-0000-4000-8000-000000000000"}}
    for kind in KINDS.values():
        metadata = {"name": "web", "ownerReferences": [reference(old)], "finalizers": [HOLD]}
        world.post(kind, {"metadata": metadata, **deepcopy(FOREIGN[kind.kind])})
    before = {kind: world.until(lambda: leaving(world, kind), 60) for kind in KINDS.values()}  # noqa: B023
    try:
        world.create(**SUSPENDED)
        world.until(lambda: world.reason("Reconciling") == "RetryingApply")
        assert "of the deleted MicroService is still there" in world.condition("Ready")["message"]
        assert {kind: world.get(kind) for kind in KINDS.values()} == before
    finally:
        for kind in KINDS.values():
            world.patch(kind, "web", {"metadata": {"finalizers": None}})
    world.until(lambda: told(world, "web", "Applied") == set(KINDS), 60)
    assert ours(world, "web") == set(KINDS)


def leaving(world: World, kind: Kind) -> Any:
    """Once the garbage collector has been there."""
    live = settled(world, kind, "web")
    return live if live and "deletionTimestamp" in live["metadata"] else None


@pytest.fixture
def elsewhere(world: World, api_server: ApiServer) -> Iterator[World]:
    with fresh_namespace(api_server) as namespace:
        yield World(api_server, namespace, world.spec["image"])


@pytest.mark.parametrize("name", ["web", "copy"])
def test_a_restored_or_cloned_service_gets_children_of_its_own(
    world: World, elsewhere: World, operator: Process, name: str
) -> None:
    """A dump with all that tools leave on an object: annotations, and the status of the old one."""
    world.create(**FAKE, **EVERY_KIND)
    world.until(lambda: told(world, "web", "Applied") == set(KINDS))
    dump = world.get(MICROSERVICE)
    stale = {"kubectl.kubernetes.io/last-applied-configuration": "{}", "kopf.zalando.org/x": "{}"}
    paused = {"microservice.dev/paused": "true"}
    target = elsewhere if name == "web" else world
    metadata = {"name": name, "annotations": stale | paused}
    target.post(MICROSERVICE, {"metadata": metadata, "spec": dump["spec"]})
    target.patch(MICROSERVICE, name, {"status": dump["status"]}, "/status")
    target.patch(
        MICROSERVICE, name, {"metadata": {"annotations": {"microservice.dev/paused": None}}}
    )
    target.until(lambda: ours(target, name) == set(KINDS))
    target.until(lambda: told(target, name, "Applied") == set(KINDS))
    live = target.get(MICROSERVICE, name)
    assert live["metadata"]["annotations"] == stale
    assert ours(world, "web") == set(KINDS), "the original keeps its own"
