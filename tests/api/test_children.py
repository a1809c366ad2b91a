"""What a MicroService becomes, and what it does not."""

import pytest
from tests.api.operator_process import Process
from tests.api.world import EVERY_KIND, World

from microservice_operator.api.kinds import MICROSERVICE
from microservice_operator.desired import KINDS

pytestmark = pytest.mark.api


def test_a_service_becomes_ready_with_all_that_belongs_to_it(
    world: World, operator: Process
) -> None:
    world.create(**EVERY_KIND)
    world.until(lambda: world.children() == set(KINDS))
    world.create("plain")
    world.until_ready("plain")
    assert world.children("plain") == {"ServiceAccount", "Deployment", "Service", "NetworkPolicy"}


def test_a_new_image_rolls_out(world: World, operator: Process, image: str) -> None:
    world.create()
    world.until_ready()
    before = world.get(KINDS["Deployment"])["metadata"]["generation"]
    world.change(env=[{"name": "RELEASE", "value": "2"}])
    world.until_ready()
    live = world.get(KINDS["Deployment"])
    assert live["metadata"]["generation"] == before + 1
    assert live["status"]["observedGeneration"] == before + 1


def test_features_that_are_removed_take_their_objects_along(
    world: World, operator: Process
) -> None:
    world.create(**EVERY_KIND)
    world.until(lambda: world.children() == set(KINDS))
    world.change(autoscaling=None, routes=None, observability=None, replicas=1)
    world.until_ready()
    assert world.children() == {"ServiceAccount", "Deployment", "Service", "NetworkPolicy"}


def test_nothing_but_the_status_of_a_microservice_is_ever_written(
    world: World, operator: Process
) -> None:
    created = world.create()
    world.until_ready()
    live = world.get(MICROSERVICE)
    assert live["spec"] == created["spec"]
    assert "finalizers" not in live["metadata"]
    assert "annotations" not in live["metadata"]
    ours = [f for f in live["metadata"]["managedFields"] if f["manager"] == "microservice-operator"]
    assert {f.get("subresource") for f in ours} == {"status"}
