"""SIGKILL around every write: whoever starts next ends where an undisturbed run ends.

Pods are never real here: no node takes them, and the test says that they are ready. A golden file
holds the writes of an undisturbed run in the order in which the proxy lets them through, then
children and status as they are in the end. GOLDEN_UPDATE=1 writes the files anew."""

import os
import time
from collections.abc import Callable
from random import Random
from typing import Any, NamedTuple

import pytest
from tests.api.operator_process import Current, eventually
from tests.api.picture import difference, golden, picture, write_golden
from tests.api.proxy import FaultProxy
from tests.api.rules import KillAfter, KillBefore, Rule
from tests.api.seen import Seen
from tests.api.stage import FEATURES, PLAIN, Stage
from tests.api.world import EVERY_KIND, World

from microservice_operator.api.kinds import MICROSERVICE
from microservice_operator.desired import KINDS

pytestmark = pytest.mark.api

STATUS = f"patch {MICROSERVICE.resource}/status web"
INSTANTS = range(20)


class Scenario(NamedTuple):
    """`before` is the spec to begin with, if there is one; `change` what the user does then."""

    before: dict[str, Any] | None
    change: Callable[[World], object]


SCENARIOS = {
    "create": Scenario(None, lambda world: world.create(**EVERY_KIND)),
    "image-change": Scenario({}, lambda world: world.change(image="registry.invalid/web:2")),
    "feature-off": Scenario(FEATURES, lambda world: world.change(**PLAIN)),
    "autoscaling-on": Scenario(
        {}, lambda world: world.change(replicas=None, autoscaling=EVERY_KIND["autoscaling"])
    ),
}
KILLS = {"before": KillBefore(), "after": KillAfter()}


def writes_of(name: str) -> list[str]:
    """Empty while there is no golden file yet."""
    try:
        return list(golden(name)["writes"])
    except FileNotFoundError:
        return []


CASES = [
    pytest.param(name, number, when, id=f"{name}-{number}-{when}-{what.replace(' ', '-')}")
    for name in SCENARIOS
    for number, what in enumerate(writes_of(name), 1)
    for when in KILLS
]


@pytest.fixture
def stage(world: World, current: Current) -> Stage:
    current.ensure(warm=True)
    return Stage(world)


def begin(stage: Stage, scenario: Scenario) -> None:
    if scenario.before is not None:
        stage.world.create(**scenario.before)
        stage.until_ready()


def in_order(writes: list[Seen]) -> list[str]:
    """Applies, then deletions, each by kind and name; then the status, however often."""
    ranks = {"patch": 0, "delete": 1}
    whats = [seen.what for seen in writes if seen.what != STATUS]
    return [*sorted(whats, key=lambda what: (ranks[what.split()[0]], what)), STATUS]


@pytest.mark.parametrize("name", SCENARIOS)
def test_an_undisturbed_run_makes_these_writes_and_ends_like_this(
    stage: Stage, proxy: FaultProxy, name: str
) -> None:
    begin(stage, SCENARIOS[name])
    since = proxy.here()
    SCENARIOS[name].change(stage.world)
    stage.until_ready()
    writes = [seen for seen in proxy.mutating(since, stage.world.namespace) if seen.code < 300]
    found = {"writes": in_order(writes), **picture(stage.world)}
    if os.environ.get("GOLDEN_UPDATE"):
        write_golden(name, found)
    assert difference(golden(name), found) == []
    assert sum(seen.what == STATUS for seen in writes) <= 3
    stage.settle(name)


@pytest.mark.parametrize(("name", "number", "when"), CASES)
def test_a_kill_at_any_write_converges_to_golden(
    stage: Stage, proxy: FaultProxy, current: Current, name: str, number: int, when: str
) -> None:
    scenario, writes, namespace = SCENARIOS[name], writes_of(name), stage.world.namespace
    begin(stage, scenario)
    victim = current.ensure(warm=True)
    proxy.in_order(namespace, writes)
    proxy.use(Rule(KILLS[when], method="WRITE", path=f"/{namespace}/", nth=number))
    since = proxy.here()
    scenario.change(stage.world)
    stage.until(lambda: not victim.running())
    hit = [s for s in proxy.mutating(since, namespace) if s.what == writes[number - 1]]
    assert [bool(seen.code) for seen in hit] == [when == "after"]
    current.ensure(warm=True)
    stage.settle(name)


@pytest.mark.parametrize("seed", INSTANTS)
def test_a_kill_at_any_instant_of_a_deletion_leaves_nothing_and_makes_nothing(
    stage: Stage, proxy: FaultProxy, current: Current, seed: int
) -> None:
    world, instant = stage.world, Random(seed).uniform(-0.05, 0.6)
    world.create(**EVERY_KIND)
    stage.until(lambda: world.children() == set(KINDS))
    victim, since = current.ensure(warm=True), proxy.here()
    if instant < 0:
        victim.shoot()
    world.delete(MICROSERVICE)
    time.sleep(max(0.0, instant))  # the instant is the point
    victim.kill()
    current.ensure(warm=True)
    eventually(lambda: world.children() == set(), 60, world.children)
    world.marker()
    made = [
        seen.what for seen in proxy.mutating(since, world.namespace) if seen.target.name == "web"
    ]
    assert [what for what in made if what != STATUS] == []
    assert world.children() == set()
    stage.untouched()
