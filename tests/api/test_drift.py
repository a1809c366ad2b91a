"""What people do to our children by hand is undone, and what is none of our business stays."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from tests.api.operator_process import Current, Process
from tests.api.proxy import FaultProxy
from tests.api.server import ApiServer, fresh_namespace
from tests.api.world import DRIFT, EVERY_KIND, MERGE, World, owned_part

from microservice_operator.desired import KINDS

pytestmark = pytest.mark.api

REPAIRED = 5  # seconds
# For each child kind, what others may set beside what we do.
THEIRS: dict[str, Any] = {
    "ServiceAccount": {"imagePullSecrets": [{"name": "theirs"}]},
    "Deployment": {"spec": {"revisionHistoryLimit": 3}},
    "Service": {"spec": {"sessionAffinity": "ClientIP"}},
    "HorizontalPodAutoscaler": {
        "spec": {"behavior": {"scaleUp": {"stabilizationWindowSeconds": 7}}}
    },
    "PodDisruptionBudget": {},
    "HTTPRoute": {"spec": {"hostnames": ["shop.example.com"]}},
    "NetworkPolicy": {},
    "ServiceMonitor": {},
}
MANAGED_BY = "app.kubernetes.io/managed-by"


@pytest.fixture(scope="module")
def drifting(api_server: ApiServer, current: Current, image: str) -> Iterator[World]:
    """One service with every kind of child, for a test of each kind."""
    current.ensure()
    with fresh_namespace(api_server) as namespace:
        world = World(api_server, namespace, image)
        world.create(**EVERY_KIND)
        world.until_every_kind()
        world.until(lambda: world.condition("Ready"))
        yield world


def writes(proxy: FaultProxy, since: int, world: World) -> list[str]:
    """To the children of the service; what its status says of them is another matter, and so is
    a conflict with a controller that wrote at the same time."""
    ours = (s for s in proxy.mutating(since) if s.target.namespace == world.namespace)
    made = (s for s in ours if s.target.name == "web" and not s.target.subresource)
    return [s.what for s in made if s.code < 400]


@pytest.mark.parametrize("name", list(KINDS))
def test_what_is_changed_by_hand_is_reverted_with_one_write(
    drifting: World, operator: Process, proxy: FaultProxy, name: str
) -> None:
    kind, since = KINDS[name], proxy.here()
    before = owned_part(drifting.get(kind))
    assert owned_part(drifting.patch(kind, "web", DRIFT[name])) != before
    drifting.until(lambda: owned_part(drifting.get(kind)) == before, REPAIRED)
    drifting.marker()
    assert writes(proxy, since, drifting) == [f"patch {kind.resource} web"]


@pytest.mark.parametrize("name", list(KINDS))
def test_what_is_deleted_by_hand_comes_back_with_one_write(
    drifting: World, operator: Process, proxy: FaultProxy, name: str
) -> None:
    kind, since = KINDS[name], proxy.here()
    uid = drifting.get(kind)["metadata"]["uid"]
    drifting.delete(kind)
    drifting.until(
        lambda: (live := drifting.get(kind)) and live["metadata"]["uid"] != uid, REPAIRED
    )
    drifting.marker()
    assert writes(proxy, since, drifting) == [f"patch {kind.resource} web"]


@pytest.mark.parametrize("name", list(KINDS))
def test_a_label_that_was_taken_away_is_put_back(
    drifting: World, operator: Process, name: str
) -> None:
    kind = KINDS[name]
    before = drifting.get(kind)
    drifting.patch(kind, "web", {"metadata": {"labels": {MANAGED_BY: None}}})
    drifting.until(lambda: owned_part(drifting.get(kind)) == owned_part(before), REPAIRED)
    assert drifting.get(kind)["metadata"]["uid"] == before["metadata"]["uid"]


@pytest.mark.parametrize("name", list(KINDS))
def test_fields_of_others_stay_when_ours_are_put_back(
    drifting: World, operator: Process, proxy: FaultProxy, name: str
) -> None:
    kind, since = KINDS[name], proxy.here()
    marks = {"annotations": {"theirs": "x"}, "labels": {"theirs": "x"}}
    theirs = {"metadata": marks, **THEIRS[name]}
    before = owned_part(drifting.get(kind))
    drifting.patch(kind, "web", theirs)
    drifting.marker()
    assert writes(proxy, since, drifting) == [], "none of our business"
    drifting.patch(kind, "web", DRIFT[name])
    live = drifting.until(
        lambda: (live := drifting.get(kind)) and owned_part(live) == before and live, REPAIRED
    )
    assert missing(theirs, live) == []


def missing(wanted: Any, live: Any, path: str = "") -> list[str]:
    """Where `live` does not say what is wanted."""
    if not isinstance(wanted, dict):
        return [] if wanted == live else [path]
    inner = live if isinstance(live, dict) else {}
    return [at for key in wanted for at in missing(wanted[key], inner.get(key), f"{path}.{key}")]


def test_who_fights_over_a_field_is_slowed_down_and_named(
    world: World, operator: Process, proxy: FaultProxy
) -> None:
    service, policy = KINDS["Service"], KINDS["NetworkPolicy"]
    world.create(replicas=0)
    world.until_ready()
    before, since = owned_part(world.get(service)), proxy.here()

    def repairs() -> list[str]:
        return [what for what in writes(proxy, since, world) if what == "patch services web"]

    with undoing_every_repair(world):
        (event,) = world.until(lambda: world.events("Contested"), 15)
        world.delete(policy)
        world.until(lambda: world.get(policy), REPAIRED)  # no other child has to wait
        world.until(lambda: len(repairs()) > 5, 12)
        assert len(repairs()) == 6, "five in a row, and one ten seconds later"
    assert event["type"] == "Warning"
    assert event["message"].startswith("rival undoes every repair of Service web")
    world.until(lambda: owned_part(world.get(service)) == before, 12)
    assert world.events("Contested") == [event], "told once"


@contextmanager
def undoing_every_repair(world: World) -> Iterator[None]:
    """Somebody with a loop, until the end of the block."""
    ended = threading.Event()
    path = KINDS["Service"].path(world.namespace, "web")

    def fight() -> None:
        while not ended.wait(0.1):
            world.server.request(
                "PATCH",
                path,
                json=DRIFT["Service"],
                params={"fieldManager": "rival"},
                content_type=MERGE,
            ).raise_for_status()

    rival = threading.Thread(target=fight)
    rival.start()
    try:
        yield
    finally:
        ended.set()
        rival.join()
