"""The API server goes away and comes back: nothing ends, nothing restarts, nothing is missed."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from e2e.cluster import cluster as clusters
from e2e.cluster import command, settings
from tests.api.operator_process import Operators, eventually
from tests.api.pair import Pair, pair
from tests.api.proxy import FaultProxy
from tests.api.rules import Cut, Freeze, Hold, Rule
from tests.api.server import ApiServer
from tests.api.world import World

from microservice_operator.api.kinds import MICROSERVICE
from microservice_operator.desired import KINDS

pytestmark = pytest.mark.api

DEPLOYMENT, SERVICE = KINDS["Deployment"], KINDS["Service"]
CAUGHT_UP = 30  # seconds after its return
NEW = [{"name": "RELEASE", "value": "2"}]


@pytest.fixture
def operators(api_server: ApiServer, started: Operators, proxy: FaultProxy) -> Iterator[Pair]:
    with pair(api_server, started) as both:
        yield both


def refuse(proxy: FaultProxy) -> Callable[[], None]:
    """Connections break, and new ones are refused."""
    proxy.down()
    return proxy.up


def say_nothing(proxy: FaultProxy) -> Callable[[], None]:
    """Connections stay open and new ones are accepted, but nothing is answered; they break in the
    end, as behind a load balancer that has found another server."""
    proxy.use(Rule(Freeze(), method="WATCH"), Rule(Hold()))

    def end() -> None:
        proxy.use(Rule(Cut(), method="WATCH"))
        proxy.clear()

    return end


def workload(world: World, name: str) -> Any:
    """What must not change: the Deployment's generation, its pods, how often they restarted."""
    path = f"/api/v1/namespaces/{world.namespace}/pods"
    selector = {"labelSelector": f"microservice.dev/name={name}"}
    pods = world.server.request("GET", path, params=selector).json()["items"]
    restarts = {
        pod["metadata"]["uid"]: [c["restartCount"] for c in pod["status"]["containerStatuses"]]
        for pod in pods
    }
    assert restarts
    return world.get(DEPLOYMENT, name)["metadata"]["generation"], restarts


def prepare(world: World) -> None:
    world.create()
    for name in ("edited", "doomed", "bereft"):
        world.create(name, replicas=0)
    for name in ("web", "edited", "doomed", "bereft"):
        world.until_ready(name)


def change_everything(world: World) -> None:
    world.create("new", replicas=0)
    world.change("edited", env=NEW)
    world.delete(MICROSERVICE, "doomed")
    world.delete(SERVICE, "bereft")


def caught_up(world: World) -> bool:
    edited = world.get(DEPLOYMENT, "edited")["spec"]["template"]["spec"]["containers"][0]
    return (
        world.ready("new")
        and world.ready("edited")
        and NEW[0] in edited["env"]
        and world.children("doomed") == set()
        and world.get(SERVICE, "bereft") is not None
    )


def changes(world: World, operators: Pair) -> Counter[str]:
    """What was written and how often, but for markers."""
    return Counter(line for line in operators.changes(world.namespace) if "marker" not in line)


CREATED = ("Deployment", "Service", "ServiceAccount", "NetworkPolicy")
EXPECTED = Counter(
    [
        *(f"new: created {kind} new" for kind in CREATED),
        "edited: updated Deployment edited",
        "bereft: created Service bereft",
    ]
)


@pytest.mark.parametrize(
    ("outage", "seconds"),
    [
        (refuse, 60),
        (say_nothing, 10),
        pytest.param(refuse, 10, marks=pytest.mark.long),
        pytest.param(say_nothing, 60, marks=pytest.mark.long),
        pytest.param(refuse, 300, marks=pytest.mark.long),
        pytest.param(say_nothing, 300, marks=pytest.mark.long),
    ],
)
def test_what_changes_while_the_api_server_is_away_is_applied_after_its_return(
    world: World,
    operators: Pair,
    proxy: FaultProxy,
    outage: Callable[[FaultProxy], Callable[[], None]],
    seconds: float,
) -> None:
    prepare(world)
    serving, before = workload(world, "web"), changes(world, operators)
    end, went = outage(proxy), time.monotonic()
    try:
        change_everything(world)
        while time.monotonic() < went + seconds:
            assert operators.running()
            time.sleep(0.5)
        assert not world.children("new")
    finally:
        end()
    back = time.monotonic()
    world.until(lambda: caught_up(world), CAUGHT_UP)
    print(f"{outage.__name__} {seconds} s: caught up after {time.monotonic() - back:.1f} s")
    assert_unharmed(world, operators)
    assert workload(world, "web") == serving
    assert changes(world, operators) - before == EXPECTED


def test_a_restart_of_the_api_server_itself_ends_and_alarms_nobody(
    world: World, operators: Pair, node: str
) -> None:
    """SIGKILL on the node; the kubelet starts it again, without what it knew about rights."""
    prepare(world)
    serving, before = workload(world, "web"), changes(world, operators)
    pid = command.run("docker", "exec", node, "pgrep", "-x", "kube-apiserver").strip()
    command.run("docker", "exec", node, "kill", "-9", pid)
    went = time.monotonic()
    eventually(lambda: gone(world.server), 10)
    eventually(lambda: not gone(world.server), 120)
    back = time.monotonic()
    change_everything(world)
    world.until(lambda: caught_up(world), CAUGHT_UP)
    print(f"away {back - went:.1f} s: caught up after {time.monotonic() - back:.1f} s")
    assert_unharmed(world, operators)
    assert workload(world, "web") == serving
    assert changes(world, operators) - before == EXPECTED
    assert world.events() == []


def gone(server: ApiServer) -> bool:
    try:
        return not server.request("GET", "/readyz").is_success
    except httpx.HTTPError:
        return True


@pytest.fixture
def node(kubeconfig: Path) -> str:
    """The container in which the API server runs."""
    return clusters.named(settings.load(), kubeconfig.name.partition(".")[0]).control_plane


def assert_unharmed(world: World, operators: Pair) -> None:
    """Both run on and are ready, one of them leads, and what is new is seen."""
    assert operators.running()
    world.until(lambda: operators.leading() == [operators.holder()], 20)
    assert all(process.ready() for process in operators.both)
    world.marker()
