"""Somebody edits one MicroService a hundred times a second."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.api.operator_process import Process
from tests.api.proxy import FaultProxy
from tests.api.seen import Seen
from tests.api.world import World

from microservice_operator.api.kinds import MICROSERVICE
from microservice_operator.desired import KINDS

pytestmark = pytest.mark.api

RATE, SECONDS = 100, 5.0
STORMING = Path(__file__).with_name("storming.py")
WRITES = 5  # a second
ENOUGH = 6  # edits a second that the server must take: unlimited, they would cause 12 writes
PROMPT = 2.0  # seconds until somebody else's service gets its first object
LAST = {"name": "NUMBER", "value": "last"}


@contextmanager
def storm(kubeconfig: Path, world: World) -> Iterator["subprocess.Popen[str]"]:
    """It prints how many edits it made."""
    path = MICROSERVICE.path(world.namespace, "web")
    program = [sys.executable, "-P", STORMING, kubeconfig, path, str(RATE), str(SECONDS)]
    environment = {**os.environ, "PYTHONPATH": str(STORMING.parents[2])}
    with subprocess.Popen(program, env=environment, stdout=subprocess.PIPE, text=True) as running:
        yield running


def to(world: World, seen: list[Seen]) -> list[Seen]:
    return [found for found in seen if found.target.namespace == world.namespace]


def most_written(seen: list[Seen]) -> float:
    """Writes a second, in the worst stretch as long as the storm."""
    return max(sum(a.at <= b.at < a.at + SECONDS for b in seen) for a in seen) / SECONDS


def test_of_a_hundred_edits_a_second_the_last_wins_with_few_writes_and_others_are_served(
    world: World, elsewhere: World, operator: Process, proxy: FaultProxy, kubeconfig: Path
) -> None:
    world.create(replicas=0)
    world.until_ready()
    since = proxy.here()
    with storm(kubeconfig, world) as editing:
        waits = reactions(elsewhere, proxy, editing)
        edits, _ = editing.communicate(timeout=60)
    world.change(env=[LAST])
    world.until_ready()
    rate, most = int(edits) / SECONDS, most_written(to(world, proxy.mutating(since)))
    print(f"{rate:.0f} edits/s, at most {most} writes/s, others after {max(waits):.2f} s")
    assert rate >= ENOUGH
    assert most <= WRITES
    assert max(waits) <= PROMPT
    container = world.get(KINDS["Deployment"])["spec"]["template"]["spec"]["containers"][0]
    assert LAST in container["env"]


def reactions(elsewhere: World, proxy: FaultProxy, editing: "subprocess.Popen[str]") -> list[float]:
    """Seconds until each of some services, made one after the other, gets its first object."""
    waits: list[float] = []
    while editing.poll() is None:
        made, name = time.monotonic(), f"other-{len(waits)}"
        elsewhere.create(name, replicas=0)
        elsewhere.until(lambda name=name: elsewhere.get(KINDS["Deployment"], name))
        waits.append(first_write(proxy, elsewhere, name) - made)
    return waits


def first_write(proxy: FaultProxy, world: World, name: str) -> float:
    return min(seen.at for seen in to(world, proxy.mutating()) if seen.target.name == name)
