"""Watches that fall silent, tasks that die, and a CRD that comes and goes."""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from tests.api.operator_process import Operators, Process, eventually, free_port
from tests.api.proxy import FaultProxy
from tests.api.rules import Answer, Cut, Expire, Freeze, Hold, Rule
from tests.api.seen import Seen
from tests.api.server import ApiServer, install
from tests.api.world import World

from microservice_operator.cluster import DEFINITION
from microservice_operator.desired import KINDS

pytestmark = pytest.mark.api

REPOSITORY = Path(__file__).parents[2]
SERVICES = yaml.safe_load((REPOSITORY / "crds" / "microservices.yaml").read_text())
MONITORS = yaml.safe_load((REPOSITORY / "tests" / "api" / "monitors.yaml").read_text())
SILENT = 100  # seconds at most until what a silent watch has hidden is seen
SOON = 15  # the same for an operator that counts a watch as dead after two seconds
RESTARTS = 30  # seconds until a process that has lost a task has ended
MONITORED = {"replicas": 0, "observability": {"metrics": {"port": "http"}}}


# silence


def a_new_service(world: World) -> Callable[[], Any]:
    world.create(replicas=0)
    return lambda: world.ready()


def a_deleted_child(world: World) -> Callable[[], Any]:
    world.delete(KINDS["Service"], "there")
    return lambda: world.get(KINDS["Service"], "there")


def a_new_definition(world: World) -> Callable[[], Any]:
    install(world.server, MONITORS)
    return lambda: world.get(KINDS["ServiceMonitor"], "there")


HIDDEN = [
    pytest.param("/microservices$", a_new_service, id="MicroServices"),
    pytest.param("/services$", a_deleted_child, id="Services"),
    pytest.param("/customresourcedefinitions$", a_new_definition, id="CRDs"),
]


@pytest.mark.parametrize(("path", "change"), HIDDEN)
def test_a_watch_that_falls_silent_is_replaced(
    world: World,
    impatient: Process,
    proxy: FaultProxy,
    no_monitors: None,
    path: str,
    change: Callable[[World], Callable[[], Any]],
) -> None:
    """Here a watch counts as dead after two seconds, not after more than a minute."""
    assert delay(world, proxy, path, change, SOON) < SOON


@pytest.mark.long
@pytest.mark.parametrize(("path", "change"), HIDDEN)
def test_a_silent_watch_delays_a_change_by_less_than_100_s(
    world: World,
    patient: Process,
    proxy: FaultProxy,
    no_monitors: None,
    path: str,
    change: Callable[[World], Callable[[], Any]],
) -> None:
    assert delay(world, proxy, path, change, SILENT) > 10, "the watch was not silent"


def skipped(world: World, name: str) -> set[str]:
    resources = (world.status(name) or {}).get("resources", ())
    return {found["kind"] for found in resources if found["state"] == "Skipped"}


def delay(
    world: World,
    proxy: FaultProxy,
    path: str,
    change: Callable[[World], Callable[[], Any]],
    seconds: float,
) -> float:
    """Seconds until a change is seen that happens right after the watch has fallen silent."""
    world.create("there", **MONITORED)
    world.until(lambda: skipped(world, "there") == {"ServiceMonitor"})
    silenced = proxy.use(Rule(Freeze(), method="WATCH", path=path))
    silent = time.monotonic()
    world.until(change(world), seconds)
    took = time.monotonic() - silent
    print(f"{path}: {took:.1f} s")
    assert silenced.acted()
    return took


@pytest.fixture
def impatient(started: Operators) -> Iterator[Process]:
    with running(started, altered=["impatient"]) as process:
        yield process


@pytest.fixture
def patient(started: Operators) -> Iterator[Process]:
    with running(started, warm=True) as process:
        yield process


@pytest.fixture
def no_monitors(api_server: ApiServer) -> Iterator[None]:
    """Without the optional CRD, which is back in the end."""
    remove(api_server, MONITORS)
    yield
    install(api_server, MONITORS)


@contextmanager
def running(operators: Operators, **how: Any) -> Iterator[Process]:
    process = operators.start(**how)
    try:
        yield process
    finally:
        if process.running():
            process.stop()


@pytest.mark.parametrize("path", ["/services$", "/deployments$"])
def test_a_watch_that_is_refused_as_too_old_is_followed_by_a_new_list(
    world: World, patient: Process, proxy: FaultProxy, path: str
) -> None:
    """With 410 as the status of the answer, which proxies and aggregated servers may send; the API
    server itself says it in an event of the watch."""
    since = proxy.here()
    proxy.use(*refused_as_too_old(path))
    eventually(lambda: lists(proxy, since, path), SOON)
    world.create(replicas=0)
    world.until_ready()
    assert patient.running()


def refused_as_too_old(path: str) -> list[Rule]:
    watches: Any = {"method": "WATCH", "path": path}
    return [Rule(Cut(), **watches), Rule(Answer(410, "Expired"), times=1, **watches)]


def lists(proxy: FaultProxy, since: int, path: str) -> list[Seen]:
    seen = proxy.requests[since:]
    return [s for s in seen if s.method == "GET" and not s.watch and re.search(path, s.path)]


# death

NONSENSE = Answer(200, body={})


@pytest.mark.parametrize(
    "rules",
    [
        pytest.param([Rule(Expire(500), method="WATCH", path="/microservices$")], id="kopf"),
        pytest.param(refused_as_too_old("/microservices$"), id="kopf, by its status"),
        pytest.param(
            [
                Rule(Expire(), method="WATCH", path="/services$"),
                Rule(NONSENSE, method="GET", path="/services$"),
            ],
            id="a child kind",
        ),
        pytest.param([Rule(NONSENSE, method="PATCH", path="/leases/")], id="Lease"),
    ],
)
def test_a_task_that_an_answer_has_killed_ends_the_process(
    world: World, patient: Process, proxy: FaultProxy, rules: list[Rule]
) -> None:
    world.create(replicas=0)
    world.until_ready()
    proxy.use(*rules)
    assert patient.exit_status(RESTARTS) == 1


@pytest.mark.parametrize(
    "altered",
    [
        "without_events",
        "without_queue",
        "without_passes",
        "without_resync",
        "without_review",
        "without_measure",
        "without_definitions",
    ],
)
def test_a_task_that_dies_of_a_bug_ends_the_process(
    world: World, started: Operators, proxy: FaultProxy, altered: str
) -> None:
    """No answer of an API server kills these: the bug is put into the program itself."""
    process = started.start(altered=[altered], wait=False)
    world.create(replicas=0)
    assert process.exit_status(RESTARTS) == 1
    assert "injected" in process.log.read_text()


def test_a_pass_that_hangs_fails_the_liveness_probe(
    world: World, started: Operators, proxy: FaultProxy
) -> None:
    """Here a pass counts as hanging after two seconds, not after five minutes."""
    port = free_port()
    with running(started, altered=["hasty"], probe_port=port):
        proxy.use(Rule(Hold(), method="PATCH", path=f"/namespaces/{world.namespace}/deployments/"))
        assert healthz(port) == 200
        world.create(replicas=0)
        eventually(lambda: healthz(port) == 500, 20)
        proxy.clear()
        world.until_ready()


def healthz(port: int) -> int:
    return httpx.get(f"http://127.0.0.1:{port}/healthz", trust_env=False).status_code


# the CRD; it belongs to the whole cluster, so these tests want to be alone


def remove(server: ApiServer, crd: dict[str, Any]) -> None:
    """Returns once it is gone, and with it every object of its kind."""
    path = DEFINITION.path(None, crd["metadata"]["name"])
    server.request("DELETE", path).raise_for_status()
    eventually(lambda: server.request("GET", path).status_code == 404, 60)


@pytest.fixture
def definition(api_server: ApiServer) -> Iterator[dict[str, Any]]:
    """It is back in the end, whatever happens."""
    yield SERVICES
    install(api_server, SERVICES)


def test_without_the_crd_it_waits_and_when_it_goes_the_process_ends(
    world: World, patient: Process, started: Operators, definition: dict[str, Any]
) -> None:
    remove(world.server, definition)
    assert patient.exit_status(RESTARTS) == 1
    with running(started, wait=False, warm=True) as again:
        eventually(lambda: "waiting for the CRD" in again.log.read_text(), 30)
        assert again.running()
        assert not again.ready()
        install(world.server, definition)
        eventually(again.ready, 30)
        world.create(replicas=0)
        world.until_ready()


def test_a_crd_that_is_made_again_at_once_does_not_leave_a_process_without_a_watch(
    world: World, patient: Process, started: Operators, definition: dict[str, Any]
) -> None:
    """The process may end; it is then started again, as the kubelet does."""
    remove(world.server, definition)
    install(world.server, definition)
    world.create(replicas=0)
    process, until = patient, time.monotonic() + 60
    while not world.ready():
        assert time.monotonic() < until, process.log.read_text()[-2000:]
        if not process.running():
            process = started.start()
        time.sleep(0.2)
    process.stop()
