"""What is broken delays nobody else."""

import time
from collections.abc import Callable, Iterator

import pytest
from tests.api.operator_process import Operators, Process, eventually
from tests.api.proxy import FaultProxy
from tests.api.rights import RBAC
from tests.api.rules import Hold, Rule
from tests.api.server import ApiServer
from tests.api.world import MERGE, World

from microservice_operator.api.kinds import MICROSERVICE
from microservice_operator.desired import KINDS

pytestmark = pytest.mark.api

BROKEN = 12  # services; fewer than workers, since one that hangs keeps a worker
PROMPT = 2.0  # seconds until a healthy service gets its first object
SCALED = {"replicas": None, "autoscaling": {"maxReplicas": 2}}


@pytest.fixture(scope="module")
def poisoned(started: Operators) -> Process:
    """It has a bug with services of a certain name."""
    return started.start("poisoned", altered=["poisoned"])


def bug(world: World, proxy: FaultProxy) -> str:
    for number in range(BROKEN):
        world.create(f"poison-{number}")
    return "InternalError"


def quota(world: World, proxy: FaultProxy) -> str:
    spec = {"hard": {"count/deployments.apps": "0", "count/services": "0"}}
    body = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "none"}, "spec": spec}
    path = f"/api/v1/namespaces/{world.namespace}/resourcequotas"
    world.server.request("POST", path, json=body).raise_for_status()
    world.until(lambda: world.server.request("GET", f"{path}/none").json()["status"].get("hard"))
    for number in range(BROKEN):
        world.create(f"poor-{number}")
    return "QuotaExceeded"


def taken(world: World, proxy: FaultProxy) -> str:
    for number in range(BROKEN):
        metadata = {"name": f"taken-{number}"}
        world.post(KINDS["ServiceAccount"], {"metadata": metadata})
        world.create(f"taken-{number}")
    return "NotOwned"


def hanging(world: World, proxy: FaultProxy) -> str:
    """The API server does not answer where they are concerned."""
    proxy.use(Rule(Hold(), method="PATCH", path=f"/namespaces/{world.namespace}/"))
    for number in range(BROKEN):
        world.create(f"hanging-{number}")
    return ""


@pytest.mark.parametrize("broken", [bug, quota, taken, hanging], ids=lambda broken: broken.__name__)
def test_services_that_are_broken_delay_no_other(
    world: World,
    elsewhere: World,
    poisoned: Process,
    proxy: FaultProxy,
    broken: Callable[[World, FaultProxy], str],
) -> None:
    reason = broken(world, proxy)
    slowest = max(reaction(elsewhere, proxy, f"healthy-{number}") for number in range(5))
    print(f"beside {broken.__name__}: {slowest:.2f} s")
    assert slowest <= PROMPT
    assert poisoned.running()
    if reason:
        assert_told(world, reason)


def assert_told(world: World, reason: str) -> None:
    """By each of them."""
    eventually(lambda: all(reason in told(world, name) for name in world.names()), 60)


def told(world: World, name: str) -> set[str]:
    conditions = (world.status(name) or {}).get("conditions", ())
    return {found["reason"] for found in conditions}


def reaction(world: World, proxy: FaultProxy, name: str) -> float:
    """Seconds until a new service gets its first object; it becomes ready, too."""
    made = time.monotonic()
    world.create(name, replicas=0)
    world.until_ready(name)
    return min(seen.at for seen in proxy.mutating() if found(world, name, seen.path)) - made


def found(world: World, name: str, path: str) -> bool:
    return f"/namespaces/{world.namespace}/" in path and path.endswith(f"/{name}")


def test_a_bug_that_one_service_hits_is_told_and_goes_with_its_cause(
    world: World, poisoned: Process, proxy: FaultProxy
) -> None:
    world.create("poison", replicas=0)
    told = world.until(lambda: world.condition("Reconciling", "poison"), 30)
    assert (told["status"], told["reason"]) == ("True", "InternalError")
    since = proxy.here()
    time.sleep(5)
    tries = [seen for seen in proxy.mutating(since) if found(world, "poison", seen.path)]
    assert len(tries) <= 2, "it tries again and again"
    world.create("healthy", replicas=0)
    world.until_ready("healthy")
    world.delete(MICROSERVICE, "poison")
    world.marker()
    assert poisoned.running()


@pytest.fixture
def without_autoscalers(api_server: ApiServer, started: Operators) -> Iterator[None]:
    """The operator may do nothing at all with this kind."""
    path = f"{RBAC}/clusterroles/operator-{started.namespace}"
    before = api_server.request("GET", path).json()["rules"]
    kept = [r for r in before if "horizontalpodautoscalers" not in r["resources"]]
    assert len(kept) < len(before)
    change(api_server, path, kept)
    yield
    change(api_server, path, before)


def change(server: ApiServer, path: str, rules: object) -> None:
    answer = server.request("PATCH", path, json={"rules": rules}, content_type=MERGE)
    assert answer.is_success, answer.text


def test_a_kind_without_permission_delays_only_who_needs_it(
    world: World,
    elsewhere: World,
    poisoned: Process,
    without_autoscalers: None,
    proxy: FaultProxy,
) -> None:
    """Taken away while the operator runs."""
    for number in range(BROKEN):
        world.create(f"scaled-{number}", **SCALED)
    slowest = max(reaction(elsewhere, proxy, f"healthy-{number}") for number in range(3))
    assert_told(world, "Forbidden")
    assert world.children("scaled-0") >= {"Deployment", "Service"}
    assert slowest <= PROMPT
    assert poisoned.running()
