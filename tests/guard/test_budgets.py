"""The real operator, 20 services at once: requests, verb by verb, are those of budgets.toml."""

import tomllib
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from microservice_operator.api.kinds import MICROSERVICE
from microservice_operator.desired import KINDS
from tests.fakeapi import FakeApi
from tests.fakecontrollers import FakeControllers
from tests.fakehttp import served
from tests.running import Operator
from tests.world import PLAIN, SEVEN, SHOP, change, children, make, ready

BUDGETS = tomllib.loads((Path(__file__).parents[2] / "benchmarks" / "budgets.toml").read_text())
SPEED = 5.0
NAMES = [f"s{number}" for number in range(20)]
WATCHES = ("list", "watch")


class Guard:
    """Counts what an operator asks for; `api` is a cluster in which NAMES are Ready."""

    def __init__(self, api: FakeApi) -> None:
        self.api = api
        self.operator: Operator | None = None

    async def start(self) -> None:
        self.operator = await Operator(self.api, speed=SPEED).start()

    async def stop(self) -> None:
        if self.operator:
            await self.operator.stop()
            self.operator = None

    async def count(self, act: Callable[[], None], then: Callable[[], object]) -> Counter[str]:
        """Requests about NAMES from `act` until `then`, and until a later change was dealt with."""
        before = len(self.api.audit)
        act()
        await self.api.until(then, 60)
        await self.marked()
        return Counter(
            f"{request.verb} {request.resource}"
            for request in self.api.audit[before:]
            if request.name in NAMES and request.verb not in WATCHES
        )

    async def marked(self) -> None:
        """A service of another name, made now, is Ready: events before it have been seen."""
        name = f"marker-{len(self.api.audit)}"
        make(self.api, name, PLAIN)
        await self.api.until(lambda: ready(self.api, name), 60)


@pytest.fixture
async def guard() -> AsyncIterator[Guard]:
    async with served(FakeApi()) as api:
        controllers = FakeControllers(api, SPEED)
        guard = Guard(api)
        yield guard
        await guard.stop()
        await controllers.stop()


def per_service(counted: Counter[str]) -> dict[str, float]:
    return {what: number / len(NAMES) for what, number in sorted(counted.items())}


def budget(scenario: str) -> dict[str, float]:
    return dict(sorted(BUDGETS[scenario].items()))


def all_ready(api: FakeApi) -> bool:
    return ready(api, *NAMES)


async def test_each_scenario_costs_exactly_its_budget(guard: Guard) -> None:
    api, spent = guard.api, {}

    def each(act: Callable[[str], object]) -> Callable[[], None]:
        return lambda: [act(name) for name in NAMES] and None

    def have(kind: str) -> bool:
        return all(kind in children(api, name) for name in NAMES)

    await guard.start()
    await guard.marked()
    spent["create"] = await guard.count(
        each(lambda name: make(api, name)), lambda: all_ready(api)
    )
    assert all(children(api, name) == SEVEN for name in NAMES)
    spent["image"] = await guard.count(
        each(lambda name: change(api, name, image="shop/orders:2")), lambda: all_ready(api)
    )
    spent["touch"] = await guard.count(each(lambda name: touch(api, name)), lambda: True)
    spent["drift"] = await guard.count(
        each(lambda name: drift(api, name)), lambda: not any(drifted(api, name) for name in NAMES)
    )
    spent["restore"] = await guard.count(
        each(lambda name: api.remove(KINDS["Service"], SHOP, name)), lambda: have("Service")
    )
    await guard.stop()
    await guard.start()
    spent["restart"] = await guard.count(lambda: None, lambda: True)
    fixed = {"autoscaling": None, "replicas": 3}
    spent["feature"] = await guard.count(
        each(lambda name: change(api, name, **fixed)), lambda: all_ready(api)
    )
    spent["ghost"] = await guard.count(
        lambda: api.expire(MICROSERVICE, while_away=lambda: forget(api, NAMES[:10])), lambda: True
    )
    spent["delete"] = await guard.count(lambda: forget(api, NAMES[10:]), lambda: True)
    spent["ghost"] = Counter({what: 2 * number for what, number in spent["ghost"].items()})
    assert {name: per_service(counted) for name, counted in spent.items()} == {
        name: budget(name) for name in spent
    }
    assert set(spent) == set(BUDGETS)


def touch(api: FakeApi, name: str) -> None:
    api.edit(MICROSERVICE, SHOP, name, {"metadata": {"labels": {"team": "checkout"}}})
    metrics = {"status": {"currentMetrics": [{"type": "Resource"}]}}
    api.edit(KINDS["HorizontalPodAutoscaler"], SHOP, name, metrics, "controllers")


def drift(api: FakeApi, name: str) -> None:
    api.edit(KINDS["Service"], SHOP, name, {"spec": {"selector": {"microservice.dev/name": "x"}}})


def drifted(api: FakeApi, name: str) -> bool:
    selector = api.get(KINDS["Service"], SHOP, name)["spec"]["selector"]
    return bool(selector["microservice.dev/name"] == "x")


def forget(api: FakeApi, names: list[str]) -> None:
    for name in names:
        api.remove(MICROSERVICE, SHOP, name)
