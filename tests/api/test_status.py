"""What tools read from every status that was ever written while a service lives through changes."""

from typing import Any

import pytest
from tests.api.history import here, history, version
from tests.api.operator_process import Process
from tests.api.proxy import FaultProxy
from tests.api.world import World
from tests.kstatus import kstatus

from microservice_operator.api.kinds import MICROSERVICE
from microservice_operator.desired import KINDS
from tests import argocd

pytestmark = pytest.mark.api

DEPLOYMENT = KINDS["Deployment"]
SUCCESS = ("Healthy", "Suspended")
WRITES = {  # of the status, at most: under way, a cause or two, in effect
    "create": 3,
    "rolling update": 3,
    "failing update": 4,
    "fix": 3,
    "suspend": 2,
    "resume": 3,
    "scale up": 3,
    "scale down": 3,
}


def test_never_current_too_early(world: World, operator: Process, proxy: FaultProxy) -> None:
    since, started = here(world, MICROSERVICE), here(world, DEPLOYMENT)
    written = {step: count for step, count in life(world, proxy)}
    said = history(world, MICROSERVICE, since)
    assert len(said) > len(WRITES)
    deployments = history(world, DEPLOYMENT, started)
    for live in said:
        check(live, as_of(deployments, version(live)))
    assert {step: count for step, count in written.items() if count > WRITES[step]} == {}
    statuses = [live["status"] for live in said]
    changes = [live for live in said if "conditions" in live["status"]]
    assert len({str(status) for status in statuses}) >= sum(written.values()), "each said something"
    assert kstatus(changes[-1]) == "Current"


def life(world: World, proxy: FaultProxy) -> Any:
    """One change after the other, each until it is in effect; and how many statuses it took."""
    steps = {
        "create": lambda: world.create(**release(1)),
        "rolling update": lambda: world.change(**release(2)),
        "failing update": lambda: world.change(image="registry.invalid/web:404"),
        "fix": lambda: world.change(image=world.spec["image"], **release(3)),
        "suspend": lambda: world.change(suspend=True),
        "resume": lambda: world.change(suspend=False),
        "scale up": lambda: world.change(replicas=3),
        "scale down": lambda: world.change(replicas=1),
    }
    assert steps.keys() == WRITES.keys()
    for step, act in steps.items():
        before = proxy.here()
        act()
        if step == "failing update":
            world.until(lambda: world.reason("Stalled") == "ImagePullFailed", 60)
        else:
            world.until_ready()
        yield step, status_writes(proxy, before, world)


def release(number: int) -> dict[str, Any]:
    rollout = {"progressDeadlineSeconds": 8}
    return {"env": [{"name": "RELEASE", "value": str(number)}], "rollout": rollout}


def status_writes(proxy: FaultProxy, since: int, world: World) -> int:
    ours = (s for s in proxy.mutating(since) if s.target.namespace == world.namespace)
    return sum(1 for s in ours if s.target.subresource == "status" and s.code == 200)


def as_of(versions: list[Any], at: int) -> Any:
    """The Deployment as it was when this status was written."""
    return next((live for live in reversed(versions) if version(live) <= at), None)


def check(live: Any, deployment: Any) -> None:
    kinds = {c["type"] for c in live["status"].get("conditions", ()) if c["status"] == "True"}
    assert not {"Reconciling", "Stalled"} <= kinds
    flux, argo = kstatus(live), argocd.health(live)
    assert (argo in SUCCESS) == (flux == "Current"), live["status"]
    if flux == "Current":
        assert in_effect(live["spec"], deployment), (live["status"], deployment["status"])


def in_effect(spec: Any, deployment: Any) -> bool:
    """All pods of this very spec are available, and no others are left."""
    wanted = 0 if spec["suspend"] else spec["replicas"]
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    status = deployment["status"]
    counts = [status.get(f"{kind}Replicas", 0) for kind in ("updated", "ready", "available")]
    return (
        (container["image"], container["env"]) == (spec["image"], spec["env"])
        and deployment["spec"]["replicas"] == wanted
        and status["observedGeneration"] == deployment["metadata"]["generation"]
        and counts == [wanted] * 3
        and status.get("replicas", 0) == wanted
    )
