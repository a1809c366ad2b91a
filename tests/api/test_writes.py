"""Where nothing changed, nothing is written."""

from collections.abc import Callable, Iterator

import pytest
from tests.api.audit import Audit
from tests.api.operator_process import Current, eventually
from tests.api.proxy import FaultProxy
from tests.api.rules import Expire, Rule
from tests.api.server import ApiServer, fresh_namespace
from tests.api.stage import Stage
from tests.api.world import EVERY_KIND, World

from microservice_operator.desired import KINDS

pytestmark = pytest.mark.api

Disturb = Callable[[Stage, Current, FaultProxy], object]


@pytest.fixture(scope="module")
def converged(api_server: ApiServer, current: Current, image: str) -> Iterator[Stage]:
    """Every kind of child, and the autoscaler has had its first say."""
    with fresh_namespace(api_server) as namespace:
        current.ensure()
        stage = Stage(World(api_server, namespace, image))
        stage.world.create(**EVERY_KIND)
        stage.until_ready()
        stage.until(lambda: stage.world.reason("AutoscalerReady"), 90)
        yield stage


def a_pass(stage: Stage, current: Current, proxy: FaultProxy) -> None:
    current.ensure()
    stage.nudge()


def a_restart(stage: Stage, current: Current, proxy: FaultProxy) -> None:
    assert current.ensure().stop() == 0
    current.ensure()


def a_kill(stage: Stage, current: Current, proxy: FaultProxy) -> None:
    current.ensure().kill()
    current.ensure()


def a_new_leader(stage: Stage, current: Current, proxy: FaultProxy) -> None:
    leader = current.ensure()
    current.process = current.operators.start("standby")
    assert leader.stop() == 0


def new_lists(stage: Stage, current: Current, proxy: FaultProxy) -> None:
    """Of each kind, again and again."""
    current.ensure().stop()
    since = proxy.here()
    current.ensure(relist_seconds=1)
    eventually(lambda: lists(proxy, since, 3), 30)
    current.ensure().stop()
    current.ensure()


def expired_versions(stage: Stage, current: Current, proxy: FaultProxy) -> None:
    current.ensure()
    since = proxy.here()
    proxy.use(Rule(Expire(410)))
    eventually(lambda: lists(proxy, since, 1), 30)


def lists(proxy: FaultProxy, since: int, count: int) -> bool:
    """Whether every child kind was listed so often."""
    asked = [seen.resource for seen in proxy.requests[since:] if seen.verb == "list" and seen.code]
    return all(asked.count(kind.resource) >= count for kind in KINDS.values())


@pytest.mark.parametrize(
    "disturb", [a_pass, a_restart, a_kill, a_new_leader, new_lists, expired_versions]
)
def test_nothing_changed_writes_nothing(
    converged: Stage,
    world: World,
    current: Current,
    proxy: FaultProxy,
    audit: Audit,
    disturb: Disturb,
) -> None:
    namespace, user = converged.world.namespace, current.operators.user
    since, place = proxy.here(), audit.here()
    disturb(converged, current, proxy)
    for _ in range(2):  # of another namespace: what was before them has been looked at
        world.marker()
    assert [seen.what for seen in proxy.mutating(since, namespace)] == []
    assert audit.writes(place, user, namespace) == []
    assert audit.writes(place, user, world.namespace), "the audit log is the one of this cluster"
    converged.settle("create")
