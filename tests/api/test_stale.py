"""What the operator was not told: lost events, old versions, objects that were replaced."""

import pytest
from tests.api.operator_process import Current, Process, eventually
from tests.api.picture import golden
from tests.api.proxy import FaultProxy
from tests.api.rules import Answer, Cut, DropEvent, Hold, Rule
from tests.api.stage import FEATURES, PLAIN, Stage
from tests.api.world import DRIFT, EVERY_KIND, World

from microservice_operator.api.kinds import MICROSERVICE
from microservice_operator.desired import KINDS

pytestmark = pytest.mark.api

NEEDED = len(golden("create")["writes"])
SERVICES = f"{KINDS['Service'].path()}$"
MICROSERVICES = f"{MICROSERVICE.path()}$"
GONE = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version"}
EXPIRED = Answer(200, body={"type": "ERROR", "object": GONE})  # in answer to a new watch


@pytest.fixture
def stage(world: World, operator: Process) -> Stage:
    stage = Stage(world)
    world.create(**EVERY_KIND)
    stage.until_ready()
    return stage


def watching(proxy: FaultProxy, since: int, path: str) -> bool:
    """Whether a watch has begun since that the server accepted."""
    found = [seen for seen in proxy.requests[since:] if seen.watch and path.startswith(seen.path)]
    return any(seen.code == 200 for seen in found)


def test_a_child_deleted_while_nobody_watched_is_made_again_after_an_expired_version(
    stage: Stage, proxy: FaultProxy
) -> None:
    away = Rule(Answer(503), method="WATCH", path=SERVICES)
    rules = proxy.use(Rule(Cut(), path=SERVICES), away)
    eventually(lambda: rules.acted(1), 20)
    stage.world.delete(KINDS["Service"])
    since = proxy.here()
    proxy.use(Rule(EXPIRED, method="WATCH", path=SERVICES, nth=1))
    stage.until(lambda: "Service" in stage.world.children())
    stage.settle("create")
    made = proxy.mutating(since, stage.world.namespace)
    assert [seen.what for seen in made if seen.applies] == ["patch services web"]


def test_a_service_deleted_while_nobody_watched_is_not_brought_back(
    stage: Stage, proxy: FaultProxy, operator: Process
) -> None:
    away = [Rule(Answer(503), method=method, path=MICROSERVICES) for method in ("WATCH", "GET")]
    rules = proxy.use(Rule(Cut(), path=MICROSERVICES), *away)
    eventually(lambda: rules.acted(1) + rules.acted(2), 20)
    stage.world.delete(MICROSERVICE)
    since = proxy.here()
    stage.until(lambda: stage.world.children() == set(), 60)
    proxy.use(Rule(EXPIRED, method="WATCH", path=MICROSERVICES, nth=1))
    eventually(lambda: watching(proxy, since, MICROSERVICES), 90)
    stage.world.marker()
    written = [s.what for s in proxy.mutating(since) if s.target.name == "web" and s.code < 300]
    assert written == []
    assert stage.world.children() == set()
    stage.untouched()
    assert operator.running()


def test_a_lost_event_is_healed_by_the_next_list(
    stage: Stage, proxy: FaultProxy, current: Current
) -> None:
    current.ensure().stop()
    current.ensure(relist_seconds=5)
    try:
        where, since = f"/{stage.world.namespace}/services/web$", proxy.here()
        rules = proxy.use(Rule(DropEvent(), event="MODIFIED", path=where, nth=1))
        stage.world.patch(KINDS["Service"], "web", DRIFT["Service"])
        eventually(lambda: rules.acted(), 10)
        stage.settle("create")
        written = [seen.what for seen in proxy.mutating(since, stage.world.namespace)]
        assert [what for what in written if "/status" not in what] == ["patch services web"]
    finally:
        current.ensure().stop()


def test_a_store_that_lags_behind_neither_makes_anything_twice_nor_deletes_it_twice(
    world: World, operator: Process, proxy: FaultProxy
) -> None:
    stage, since = Stage(world), proxy.here()
    proxy.use(Rule(Hold(), event="*", path=f"/{world.namespace}/(?!microservices)"))
    world.create(**FEATURES)
    stage.until(lambda: world.children() == set(KINDS))
    uids = {name: world.get(kind)["metadata"]["uid"] for name, kind in KINDS.items()}
    world.change(**PLAIN)
    stage.until(lambda: len(world.children()) == len(KINDS) - 3)
    proxy.release()
    stage.settle("feature-off")
    kept = {name: live["metadata"]["uid"] for name in KINDS if (live := world.get(KINDS[name]))}
    assert kept.items() <= uids.items()
    written = [seen.what for seen in proxy.mutating(since, world.namespace)]
    assert sum(what.startswith("delete ") for what in written) == 3
    assert (
        len(written) <= len(golden("create")["writes"]) + len(golden("feature-off")["writes"]) + 3
    )


def test_one_made_again_with_the_same_name_at_once_gets_children_of_its_own(
    stage: Stage, proxy: FaultProxy, operator: Process
) -> None:
    old = {stage.world.get(kind)["metadata"]["uid"] for kind in KINDS.values()}
    since = proxy.here()
    stage.world.delete(MICROSERVICE)
    stage.world.create(**EVERY_KIND)
    stage.until(lambda: stage.world.children() == set(KINDS))
    stage.settle("create")
    writes = proxy.mutating(since, stage.world.namespace)
    named = {seen.body["metadata"].get("uid") for seen in writes if seen.applies}
    assert not named & old, "a child of the predecessor was written to"
    made = [seen for seen in writes if seen.applies and seen.code == 201]
    assert len(made) == len(KINDS)
    assert operator.running()
