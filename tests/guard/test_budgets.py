"""The real operator, 20 services at once: requests, verb by verb, are those of budgets.toml."""

import tomllib
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from tests.fakeapi import FakeApi
from tests.fakecontrollers import FakeControllers
from tests.fakehttp import served
from tests.running import Operator
from tests.world import PLAIN, SEVEN, SHOP, change, children, condition, make, ready

from microservice_operator.api.kinds import MICROSERVICE, Kind
from microservice_operator.app import App
from microservice_operator.desired import KINDS

BUDGETS = tomllib.loads((Path(__file__).parents[2] / "benchmarks" / "budgets.toml").read_text())
NAMES = [f"s{number}" for number in range(20)]
READS = ("list", "watch")


class Guard:
    """A fake cluster, an operator at the pace of life, and what it asks for about NAMES."""

    def __init__(self, api: FakeApi, controllers: FakeControllers) -> None:
        self.api = api
        self.controllers = controllers
        self.operator: Operator | None = None

    async def start(self) -> None:
        self.operator = await Operator(self.api, speed=1.0).start()
        await self.settle()

    async def stop(self) -> None:
        if self.operator:
            await self.operator.stop()
            self.operator = None

    async def count(
        self,
        act: Callable[[], object],
        *,
        rolls: bool = False,
        until: Callable[[], object] = lambda: True,
    ) -> dict[str, float]:
        """Requests for each service from `act` until all that follows from it was dealt with."""
        before = len(self.api.audit)
        if rolls:
            await self.controllers.allow(0)
        act()
        if rolls:
            await self._roll()
        await self.api.until(until, 60)
        await self.settle()
        asked = [r for r in self.api.audit[before:] if r.name in NAMES and r.verb not in READS]
        counted = Counter(f"{request.verb} {request.resource}" for request in asked)
        return {what: number / len(NAMES) for what, number in sorted(counted.items())}

    async def settle(self) -> None:
        """A service made now is Ready: events that came before have been dealt with."""
        await self.controllers.allow(3)
        name = f"marker-{len(self.api.audit)}"
        make(self.api, name, PLAIN)
        await self.api.until(lambda: ready(self.api, name), 60)
        if self.operator:  # passes may be slower than that of the marker
            await self.operator.until(idle)

    async def _roll(self) -> None:
        """Three pods become ready one after the other, once users know that work is under way."""
        await self.api.until(lambda: all(progressing(self.api, name) for name in NAMES), 60)
        for pods in (1, 2, 3):
            await self.controllers.allow(pods)
            await self.api.until(lambda: all(pods_ready(self.api, n, pods) for n in NAMES), 60)  # noqa: B023
        await self.api.until(lambda: ready(self.api, *NAMES), 60)


@pytest.fixture
async def guard() -> AsyncIterator[Guard]:
    async with served(FakeApi()) as api:
        controllers = FakeControllers(api, speed=20)
        guard = Guard(api, controllers)
        yield guard
        await guard.stop()
        await controllers.stop()


def idle(app: App) -> bool:
    """No pass runs, and none waits for a worker."""
    return len(app.queue) == 0 and app.queue.longest() == 0.0


def budget(scenario: str) -> dict[str, float]:
    return dict(sorted(BUDGETS[scenario].items()))


async def test_each_scenario_costs_exactly_its_budget(guard: Guard) -> None:
    """One after the other in one cluster: what a scenario leaves behind is part of the next."""
    api, count = guard.api, guard.count
    service = KINDS["Service"]
    await guard.start()

    assert await count(lambda: [make(api, n) for n in NAMES], rolls=True) == budget("create")
    assert all(children(api, name) == SEVEN for name in NAMES)

    new = {"image": "shop/orders:2"}
    assert await count(lambda: [change(api, n, **new) for n in NAMES], rolls=True) == budget(
        "image"
    )

    assert await count(lambda: touch(api, NAMES)) == budget("touch")

    assert await count(lambda: drift(api, NAMES)) == budget("drift")
    assert not any(drifted(api, name) for name in NAMES)

    assert await count(lambda: remove(api, service, NAMES)) == budget("restore")
    assert all(children(api, name) == SEVEN for name in NAMES)

    await guard.stop()
    await guard.start()
    assert await count(lambda: None) == budget("restart")

    assert await count(
        lambda: [change(api, n, autoscaling=None, replicas=3) for n in NAMES],
        until=lambda: ready(api, *NAMES),
    ) == budget("feature")


async def test_deletion_costs_no_write_and_a_ghost_one_look(guard: Guard) -> None:
    api = guard.api
    await guard.start()
    for name in NAMES:
        make(api, name)
    await api.until(lambda: ready(api, *NAMES), 60)
    scaling = ("True", "ScalingActive")
    await api.until(lambda: all(condition(api, "AutoscalerReady", n) == scaling for n in NAMES), 60)
    await guard.settle()

    old, new = NAMES[:10], NAMES[10:]
    lost = await guard.count(lambda: api.expire(MICROSERVICE, while_away=lambda: forget(api, old)))
    assert {what: 2 * number for what, number in lost.items()} == budget("ghost")

    assert await guard.count(lambda: forget(api, new, collect=False)) == budget("delete")
    assert await guard.count(api.collect_garbage) == budget("delete")
    assert not any(children(api, name) for name in NAMES)


def progressing(api: FakeApi, name: str) -> bool:
    return condition(api, "Reconciling", name) == ("True", "Progressing")


def pods_ready(api: FakeApi, name: str, pods: int) -> bool:
    live = api.get(KINDS["Deployment"], SHOP, name)
    return bool(live["status"]["readyReplicas"] >= pods)


def touch(api: FakeApi, names: list[str]) -> None:
    metrics = {"status": {"currentMetrics": [{"type": "Resource"}]}}
    for name in names:
        api.edit(MICROSERVICE, SHOP, name, {"metadata": {"labels": {"team": "checkout"}}})
        api.edit(KINDS["HorizontalPodAutoscaler"], SHOP, name, metrics, "controllers")


def drift(api: FakeApi, names: list[str]) -> None:
    for name in names:
        selector = {"selector": {"microservice.dev/name": "x"}}
        api.edit(KINDS["Service"], SHOP, name, {"spec": selector})


def drifted(api: FakeApi, name: str) -> bool:
    selector = api.get(KINDS["Service"], SHOP, name)["spec"]["selector"]
    return bool(selector["microservice.dev/name"] == "x")


def remove(api: FakeApi, kind: Kind, names: list[str]) -> None:
    for name in names:
        api.remove(kind, SHOP, name)


def forget(api: FakeApi, names: list[str], *, collect: bool = True) -> None:
    for name in names:
        api.remove(MICROSERVICE, SHOP, name, collect=collect)
