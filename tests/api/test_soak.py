"""Half an hour of changes and faults: nothing is forgotten, nothing grows. `SOAK_SECONDS` makes it
shorter or longer; `SOAK_SEED` gives another order of events."""

import os
import random
import statistics
import time
from pathlib import Path
from typing import Any

import pytest
from tests.api.operator_process import Process
from tests.api.proxy import FaultProxy
from tests.api.rules import Cut, Expire, Mix, Rule
from tests.api.world import DRIFT, MERGE, World

from microservice_operator.api.kinds import MICROSERVICE
from microservice_operator.desired import KINDS

pytestmark = [pytest.mark.api, pytest.mark.long]

SECONDS = float(os.environ.get("SOAK_SECONDS", "1800"))
SEED = int(os.environ.get("SOAK_SEED", "1"))
SERVICES = 40
STEP = 0.25  # seconds between two acts
FAULTS = 60.0  # seconds between two changes of what goes wrong
SAMPLE = 5.0
GROWTH = 1.05  # of memory, from the second fifth to the last: the first fills the store
WAYS_TO_FAIL = (
    (),
    (Rule(Mix(SEED, 0.05, (409, 429, 500, 503)), method="WRITE"),),
    (Rule(Cut(), event="*"),),
    (Rule(Expire(), event="*"),),
)


class Soak:
    """Acts at random, and knows what must be true in the end."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.dice = random.Random(SEED)
        self.wanted = {f"web-{number}": 0 for number in range(SERVICES)}
        self.acts = 0
        for name, number in self.wanted.items():
            self.create(name, number)

    def create(self, name: str, number: int) -> None:
        self.world.create(name, replicas=0, env=[{"name": "NUMBER", "value": str(number)}])

    def act(self) -> None:
        ways = (self.edit, self.edit, self.remake, self.drop, self.bend)
        self.dice.choice(ways)(self.dice.choice(sorted(self.wanted)))
        self.acts += 1

    def edit(self, name: str) -> None:
        self.wanted[name] += 1
        self.world.change(name, env=[{"name": "NUMBER", "value": str(self.wanted[name])}])

    def remake(self, name: str) -> None:
        self.world.delete(MICROSERVICE, name)
        self.create(name, self.wanted[name])

    def drop(self, name: str) -> None:
        self._harm("DELETE", name)

    def bend(self, name: str) -> None:
        self._harm("PATCH", name, DRIFT["Service"])

    def _harm(self, method: str, name: str, body: Any = None) -> None:
        """The Service may be missing just now: that is the operator's to mend."""
        path = KINDS["Service"].path(self.world.namespace, name)
        answer = self.world.server.request(method, path, json=body, content_type=MERGE)
        assert answer.is_success or answer.status_code == 404, answer.text

    def is_in_effect(self, name: str) -> bool:
        deployment = self.world.get(KINDS["Deployment"], name)
        if not deployment or not self.world.ready(name):
            return False
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        return {"name": "NUMBER", "value": str(self.wanted[name])} in container["env"]


def rss_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS:"))


def run(soak: Soak, proxy: FaultProxy, operator: Process) -> list[float]:
    """Memory, every few seconds."""
    sizes: list[float] = []
    began = fault = sample = time.monotonic()
    while (now := time.monotonic()) < began + SECONDS:
        if now >= fault:
            proxy.use(*soak.dice.choice(WAYS_TO_FAIL))
            fault = now + FAULTS
        if now >= sample:
            sizes.append(rss_mb(operator.pid))
            sample = now + SAMPLE
        soak.act()
        time.sleep(STEP)
    proxy.clear()
    return sizes


def test_after_half_an_hour_of_changes_and_faults_all_is_as_wanted_and_memory_is_flat(
    world: World, operator: Process, proxy: FaultProxy
) -> None:
    soak = Soak(world)
    before = len(proxy.requests)
    sizes = run(soak, proxy, operator)
    for name in soak.wanted:
        world.until(lambda name=name: soak.is_in_effect(name), 60)
    assert operator.running()
    curve = [statistics.median(part) for part in fifths(sizes)]
    print(
        f"\nsoak: {SECONDS:.0f} s, seed {SEED}, {soak.acts} acts, "
        f"{len(proxy.requests) - before} requests, memory by fifths of the time "
        f"{', '.join(f'{size:.1f}' for size in curve)} MB"
    )
    assert curve[-1] <= curve[1] * GROWTH


def fifths(sizes: list[float]) -> list[list[float]]:
    length = len(sizes) // 5
    return [sizes[part * length : (part + 1) * length] for part in range(5)]
