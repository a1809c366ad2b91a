"""Who fixes the number of pods changes; the number itself goes straight to what is wanted."""

from itertools import pairwise
from typing import Any, NamedTuple

import pytest
from tests.api.history import here, history
from tests.api.operator_process import Current
from tests.api.proxy import FaultProxy
from tests.api.server import ApiServer, fresh_namespace
from tests.api.world import MERGE, World

from microservice_operator.api.kinds import MICROSERVICE, Kind
from microservice_operator.desired import KINDS

pytestmark = pytest.mark.api

DEPLOYMENT, AUTOSCALER = KINDS["Deployment"], KINDS["HorizontalPodAutoscaler"]
QUOTA = Kind("v1", "ResourceQuota", "resourcequotas")  # these tests are about numbers, not pods
UNSET: dict[str, Any] = {"replicas": None, "autoscaling": None, "suspend": None}
WAYS: dict[str, dict[str, Any]] = {
    "fixed": UNSET | {"replicas": 4},
    "autoscaled": UNSET | {"autoscaling": {"minReplicas": 2, "maxReplicas": 9}},
    "free": UNSET,
    "suspended": UNSET | {"suspend": True},
    "fixed lower": UNSET | {"replicas": 3},
    "fixed higher": UNSET | {"replicas": 7},
}
SCALED = {"autoscaled": 6, "free": 5}  # by somebody else, through /scale
LIVE = {"fixed": 4, "suspended": 0, "fixed lower": 3, "fixed higher": 7} | SCALED


class Switch(NamedTuple):
    """`then` leads back, or there and back."""

    ways: tuple[str, ...]

    @property
    def name(self) -> str:
        return "-".join(self.ways).replace(" ", "-")

    @property
    def expected(self) -> list[int]:
        """The number of pods from the first way on."""
        counts = [LIVE[self.ways[0]]]
        for way in self.ways[1:]:
            counts.append(after(counts[-1], way))
        return [counts[0], *(b for a, b in pairwise(counts) if a != b)]


def after(live: int, way: str) -> int:
    """What the spec fixes, else the live value; a count that was 0 begins at its minimum."""
    if way in SCALED:
        return live or (2 if way == "autoscaled" else 1)
    return LIVE[way]


FOUR = ("fixed", "autoscaled", "free", "suspended")
PAIRS = [Switch((a, b, a)) for a in FOUR for b in FOUR if a != b]
SIZES = [Switch(("fixed", "fixed lower")), Switch(("fixed", "fixed higher"))]
SIZES += [Switch((a, b)) for a in SCALED for b in ("fixed lower", "fixed higher")]
SWITCHES = PAIRS + SIZES


@pytest.fixture(scope="module")
def series(api_server: ApiServer, current: Current, image: str) -> Any:
    """By switch, every number of pods there has ever been; all of them side by side."""
    current.ensure()
    with fresh_namespace(api_server) as namespace:
        world = World(api_server, namespace, image)
        world.post(QUOTA, {"metadata": {"name": "no-pods"}, "spec": {"hard": {"pods": "0"}}})
        for switch in SWITCHES:
            world.create(switch.name, **WAYS[switch.ways[0]])
        for switch in SWITCHES:
            settle(world, switch.name)
            if (count := SCALED.get(switch.ways[0])) is not None:
                scale(world, switch.name, count)
        since = here(world, DEPLOYMENT)
        before = {switch: world.get(DEPLOYMENT, switch.name) for switch in SWITCHES}
        for step in (1, 2):
            for switch in (s for s in SWITCHES if len(s.ways) > step):
                world.change(switch.name, **WAYS[switch.ways[step]])
            for switch in SWITCHES:
                settle(world, switch.name)
        yield {
            switch: counts([live, *history(world, DEPLOYMENT, since, switch.name)])
            for switch, live in before.items()
        }


def settle(world: World, name: str) -> None:
    """The spec of now has been acted on."""

    def acted() -> bool:
        live = world.get(MICROSERVICE, name)
        scaled = world.get(AUTOSCALER, name) is not None
        seen = live["status"]["observedGeneration"] == live["metadata"]["generation"]
        return seen and scaled == ("autoscaling" in live["spec"])

    world.until(acted)


def scale(world: World, name: str, count: int) -> None:
    """As an autoscaler does it."""
    world.server.request(
        "PATCH",
        f"{DEPLOYMENT.path(world.namespace, name)}/scale",
        json={"spec": {"replicas": count}},
        params={"fieldManager": "autoscaler"},
        content_type=MERGE,
    ).raise_for_status()


def counts(versions: list[Any]) -> list[int]:
    """Without repeats."""
    every = [int(live["spec"]["replicas"]) for live in versions]
    return [every[0], *(b for a, b in pairwise(every) if a != b)]


@pytest.mark.parametrize("switch", SWITCHES, ids=lambda switch: switch.name)
def test_the_count_goes_straight_to_what_the_new_spec_fixes(
    series: dict[Switch, list[int]], switch: Switch
) -> None:
    assert series[switch] == switch.expected


def test_the_autoscaler_goes_only_after_the_deployment_has_its_count(
    world: World, current: Current, proxy: FaultProxy
) -> None:
    current.ensure()
    world.post(QUOTA, {"metadata": {"name": "no-pods"}, "spec": {"hard": {"pods": "0"}}})
    world.create(**WAYS["autoscaled"])
    settle(world, "web")
    scale(world, "web", 6)
    before = proxy.here()
    world.change(**WAYS["fixed lower"])
    settle(world, "web")
    ours = [s for s in proxy.mutating(before) if s.target.namespace == world.namespace]
    (deletion,) = (s for s in ours if s.verb == "delete")
    carried = [
        s
        for s in ours
        if s.resource == DEPLOYMENT.resource and s.code == 200 and s.number < deletion.number
    ]
    assert [s.reply["spec"]["replicas"] for s in carried] == [3]
    assert deletion.resource == AUTOSCALER.resource
