"""What happens while no operator runs, and when it comes back."""

from typing import Any

import pytest
from tests.api.operator_process import Current
from tests.api.world import DRIFT, EVERY_KIND, World, owned_part

from microservice_operator.api.kinds import MICROSERVICE
from microservice_operator.desired import KINDS

pytestmark = pytest.mark.api


def said(live: Any) -> dict[str, Any]:
    """Spec and status; but the autoscaler's first news may come at any moment, as late as here."""
    status = dict(live["status"])
    status["conditions"] = [c for c in status["conditions"] if c["type"] != "AutoscalerReady"]
    return {"generation": live["metadata"]["generation"], "spec": live["spec"], "status": status}


def test_a_restart_writes_nothing(world: World, current: Current) -> None:
    operator = current.ensure()
    world.create()
    world.create("every", **EVERY_KIND)
    world.until_ready()
    world.until(lambda: world.children("every") == set(KINDS))
    world.until(lambda: world.get(MICROSERVICE, "every")["status"].get("pods") == "2/2", 60)
    assert operator.stop() == 0
    before = {name: said(world.get(MICROSERVICE, name)) for name in world.names()}
    written = len(operator.changes(world.namespace))
    operator = current.ensure()
    world.marker()
    again = operator.changes(world.namespace)[written:]
    assert [line for line in again if not line.startswith("marker-")] == []
    assert {name: said(world.get(MICROSERVICE, name)) for name in before} == before


def test_a_service_deleted_while_no_operator_runs_leaves_nothing_behind(
    world: World, current: Current
) -> None:
    operator = current.ensure()
    world.create(**EVERY_KIND)
    world.until(lambda: world.children() == set(KINDS))
    operator.stop()
    world.delete(MICROSERVICE)
    world.until(lambda: world.children() == set(), 60)
    current.ensure()
    world.marker()
    assert world.children() == set()


def test_a_change_while_no_operator_runs_is_made_up_for(world: World, current: Current) -> None:
    operator = current.ensure()
    world.create()
    world.until_ready()
    operator.stop()
    world.change(env=[{"name": "RELEASE", "value": "2"}])
    world.delete(KINDS["Service"])
    before = owned_part(world.get(KINDS["NetworkPolicy"]))
    world.patch(KINDS["NetworkPolicy"], "web", DRIFT["NetworkPolicy"])
    current.ensure()
    world.until_ready()
    assert "Service" in world.children()
    assert owned_part(world.get(KINDS["NetworkPolicy"])) == before
    containers = world.get(KINDS["Deployment"])["spec"]["template"]["spec"]["containers"]
    assert {"name": "RELEASE", "value": "2"} in containers[0]["env"]
