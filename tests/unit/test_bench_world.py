"""What the benchmark's observer saw, folded: when a service has converged, when it is ready."""

from typing import Any

import pytest
from benchmarks.load import SEVEN
from benchmarks.observe import line
from benchmarks.world import World

from microservice_operator.api.kinds import MICROSERVICE
from microservice_operator.desired import KINDS

KEY = ("bench", "s1")


def service(image: str = "a:1", generation: int = 1, ready_at: int = 0) -> dict[str, Any]:
    metadata = {"uid": "u1", "generation": generation, "resourceVersion": "5"}
    condition = {"type": "Ready", "status": "True", "observedGeneration": ready_at}
    return {"metadata": metadata, "spec": {"image": image}, "status": {"conditions": [condition]}}


def child(image: str | None = None, owner: str = "u1", uid: str = "c1") -> dict[str, Any]:
    owners = [{"controller": True, "uid": owner}]
    pods = {"spec": {"containers": [{"image": image}]}} if image else {}
    metadata = {"uid": uid, "resourceVersion": "6", "ownerReferences": owners}
    return {"metadata": metadata, "spec": {"template": pods}}


class Watched:
    """A world that hears one event a second."""

    def __init__(self) -> None:
        self.world = World()
        self.now = 0.0

    def see(self, kind: Any, live: dict[str, Any], event: str = "ADDED") -> None:
        self.now += 1
        live["metadata"] |= {"namespace": KEY[0], "name": KEY[1]}
        seen = line(kind, {"type": event, "object": live}, self.now, service=kind is MICROSERVICE)
        self.world.feed(seen)

    def see_children(self, image: str, owner: str = "u1") -> None:
        for kind in SEVEN:
            self.see(kind, child(image if kind.kind == "Deployment" else None, owner))


@pytest.fixture
def watched() -> Watched:
    return Watched()


def test_a_service_has_converged_when_the_last_of_seven_children_was_seen(watched: Watched) -> None:
    watched.see(MICROSERVICE, service())
    watched.see_children("a:1")
    assert watched.world.converged == {(KEY, "a:1"): 8.0}


def test_children_of_another_owner_do_not_count(watched: Watched) -> None:
    watched.see(MICROSERVICE, service())
    watched.see_children("a:1", owner="somebody")
    assert not watched.world.has_converged(KEY)


def test_the_label_of_kro_names_an_owner_too(watched: Watched) -> None:
    watched.see(MICROSERVICE, service())
    for kind in SEVEN:
        live = child("a:1" if kind.kind == "Deployment" else None)
        del live["metadata"]["ownerReferences"]
        live["metadata"]["labels"] = {"kro.run/instance-id": "u1"}
        watched.see(kind, live)
    assert watched.world.has_converged(KEY)


def test_a_new_image_has_to_arrive_before_the_service_has_converged_again(
    watched: Watched,
) -> None:
    watched.see(MICROSERVICE, service())
    watched.see_children("a:1")
    watched.see(MICROSERVICE, service("a:2", generation=2), "MODIFIED")
    assert not watched.world.has_converged(KEY)
    watched.see(KINDS["Deployment"], child("a:2"), "MODIFIED")
    assert watched.world.converged[KEY, "a:2"] == 10.0


def test_ready_counts_for_the_generation_it_speaks_of(watched: Watched) -> None:
    watched.see(MICROSERVICE, service(generation=1, ready_at=1))
    assert watched.world.ready_at(KEY) == 1.0
    watched.see(MICROSERVICE, service("a:2", generation=2, ready_at=1), "MODIFIED")
    assert watched.world.ready_at(KEY) is None
    watched.see(MICROSERVICE, service("a:2", generation=2, ready_at=2), "MODIFIED")
    assert watched.world.ready_at(KEY) == 3.0


def test_a_namespace_is_empty_once_services_and_children_are_gone(watched: Watched) -> None:
    watched.see(MICROSERVICE, service())
    watched.see(KINDS["Service"], child())
    watched.see(MICROSERVICE, service(), "DELETED")
    assert not watched.world.is_empty("bench")
    watched.see(KINDS["Service"], child(), "DELETED")
    assert watched.world.is_empty("bench")


def test_the_default_account_of_a_namespace_is_no_child(watched: Watched) -> None:
    live = child()
    del live["metadata"]["ownerReferences"]
    watched.see(KINDS["ServiceAccount"], live)
    assert watched.world.is_empty("bench")
    assert not watched.world.events
