"""What a service costs the API server, verb by verb, on a real one with its real controllers.

tests/guard counts the same on a fake API, twenty services at once: both read budgets.toml."""

import time
import tomllib
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.api.fake_pods import FAKE, is_ready, make_ready, pods
from tests.api.operator_process import Current
from tests.api.proxy import FaultProxy
from tests.api.world import DRIFT, World, owned_part

from microservice_operator.api.kinds import MICROSERVICE
from microservice_operator.desired import KINDS

pytestmark = pytest.mark.api

BUDGETS = tomllib.loads((Path(__file__).parents[2] / "benchmarks" / "budgets.toml").read_text())
AUTOSCALER, ROUTE, SERVICE = (
    KINDS[kind] for kind in ("HorizontalPodAutoscaler", "HTTPRoute", "Service")
)
SEVEN = {
    "replicas": None,
    "autoscaling": {"minReplicas": 3, "maxReplicas": 5},
    "routes": [{"name": "main", "matches": [{"path": {"value": "/web"}}]}],
}
READY_AFTER = (2.0, 4.0, 8.0)  # seconds


def test_each_step_of_a_life_costs_no_more_than_its_budget(
    world: World, current: Current, proxy: FaultProxy
) -> None:
    """One after the other: what a step leaves behind is part of the next."""
    operator = current.ensure()
    world.marker()

    def costs(act: Callable[[], object]) -> Counter[str]:
        before = proxy.here()
        act()
        return requests(proxy, before, world)

    made = costs(lambda: roll(world, lambda: world.create(**FAKE, **SEVEN)))
    assert made.total() <= 9
    assert over(made, "create") == {}
    assert len(world.children()) == 7
    quiet(world)

    changed = costs(lambda: roll(world, lambda: world.change(image="registry.invalid/web:2")))
    assert changed.total() <= 3
    assert over(changed, "image") == {}
    quiet(world)

    before = owned_part(world.get(SERVICE))

    def drift() -> None:
        world.patch(SERVICE, "web", DRIFT["Service"])
        world.until(lambda: owned_part(world.get(SERVICE)) == before)
        world.marker()

    assert costs(drift) == BUDGETS["drift"]

    restored = costs(lambda: (world.delete(SERVICE), world.until(lambda: world.get(SERVICE))))
    assert restored == BUDGETS["restore"]
    world.marker()

    label = {"metadata": {"labels": {"team": "checkout"}}}
    touched = costs(lambda: (world.patch(MICROSERVICE, "web", label), world.marker()))
    assert touched == BUDGETS["touch"]

    assert operator.stop() == 0
    restarted = costs(lambda: (current.ensure(), world.marker()))
    assert restarted == BUDGETS["restart"]

    deleted = costs(lambda: (world.delete(MICROSERVICE), world.marker()))
    assert deleted == BUDGETS["delete"]


def requests(proxy: FaultProxy, since: int, world: World) -> Counter[str]:
    """All that were about the service `web`, in whatever words."""
    asked = [s for s in proxy.requests[since:] if s.target.namespace == world.namespace]
    about = [s for s in asked if s.target.name == "web" or s.resource in ("pods", "events")]
    return Counter(f"{s.verb} {s.resource}" for s in about if s.verb != "watch")


def over(asked: Counter[str], scenario: str) -> dict[str, int]:
    return {what: n for what, n in asked.items() if n > BUDGETS[scenario].get(what, 0)}


def roll(world: World, act: Callable[[], object]) -> None:
    """Act, let the pods that follow become ready one after the other, and wait for Ready=True."""
    old = {pod["metadata"]["uid"] for pod in pods(world)}
    act()
    world.until(lambda: world.reason("Reconciling") == "Progressing")
    began, asked = time.monotonic(), False
    for number, seconds in enumerate(READY_AFTER, start=1):
        world.until(lambda: time.monotonic() - began >= seconds)  # noqa: B023
        if not asked:
            answer_as_controllers(world)
            asked = True
        world.until(lambda: make_ready(world) or fresh(world, old) >= number)  # noqa: B023
        world.until(lambda: fresh(world, old) >= number)  # noqa: B023
    world.until_ready()


def fresh(world: World, old: set[str]) -> int:
    """Ready pods that were not there before."""
    return sum(1 for pod in pods(world) if is_ready(pod) and pod["metadata"]["uid"] not in old)


def answer_as_controllers(world: World) -> None:
    """Gateway and autoscaler say that all is well."""
    active = {
        "type": "ScalingActive",
        "status": "True",
        "reason": "ValidMetricFound",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    scaled = {"currentReplicas": 3, "desiredReplicas": 3, "conditions": [active]}
    world.patch(AUTOSCALER, "web", {"status": scaled}, "/status")
    accept(world)


def accept(world: World) -> None:
    live = world.get(ROUTE)
    at = {
        "lastTransitionTime": "2026-01-01T00:00:00Z",
        "observedGeneration": live["metadata"]["generation"],
        "message": "",
    }
    conditions = [
        {"type": kind, "status": "True", "reason": kind, **at}
        for kind in ("Accepted", "ResolvedRefs")
    ]
    parents: list[Any] = [
        {"parentRef": ref, "controllerName": "example.com/gateway", "conditions": conditions}
        for ref in live["spec"]["parentRefs"]
    ]
    world.patch(ROUTE, "web", {"status": {"parents": parents}}, "/status")


def quiet(world: World) -> None:
    """The autoscaler has said what it really thinks; it is heard before the next step."""
    world.until(lambda: world.condition("AutoscalerReady"), 40)
    world.until(lambda: reason(world) == "MetricsUnavailable", 40)
    world.marker()


def reason(world: World) -> str:
    return world.reason("AutoscalerReady")
