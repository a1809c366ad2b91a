"""Answers that fail, get lost or come late: the end is that of an undisturbed run.

Seeds of tests/api/regressions are replayed on every run; add a file for each seed that has failed,
as written by `rules.dump`."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from tests.api.operator_process import Process, eventually
from tests.api.picture import golden
from tests.api.proxy import FaultProxy
from tests.api.rules import Answer, Cut, Delay, DropAfter, Hold, Rule, load
from tests.api.seen import Seen
from tests.api.stage import Stage
from tests.api.world import EVERY_KIND, World

from microservice_operator.api.kinds import MICROSERVICE
from microservice_operator.desired import KINDS

pytestmark = pytest.mark.api

REGRESSIONS = sorted((Path(__file__).parent / "regressions").glob("*.yaml"))
NEEDED = len(golden("create")["writes"])
PLURALS = [kind.plural for kind in KINDS.values()]
STATUS = "/microservices/[^/]+/status$"
UNTYPEABLE = "failed to create typed patch object (web; apps/v1, Kind=Deployment): no such field"


@pytest.fixture
def stage(world: World, operator: Process) -> Stage:
    return Stage(world)


def each_first(stage: Stage, action: Any) -> list[Rule]:
    """Hits the first write to each kind of child, and to the status."""
    paths = [f"/{stage.world.namespace}/{plural}/" for plural in (*PLURALS, "microservices")]
    return [Rule(action, method="WRITE", path=path, nth=1) for path in paths]


def told(writes: list[Seen]) -> set[str]:
    """Reasons of all conditions in these status writes."""
    return {
        condition["reason"]
        for seen in writes
        if seen.target.subresource == "status"
        for condition in seen.body["status"].get("conditions") or ()
    }


def applies(writes: list[Seen]) -> Counter[str]:
    return Counter(seen.resource for seen in writes if seen.applies)


def test_replies_that_are_lost_cause_no_second_object_and_no_alarm(
    stage: Stage, proxy: FaultProxy
) -> None:
    """The watches lag too: else they would tell before the next try what became of the first."""
    where, since = f"/{stage.world.namespace}/", proxy.here()
    lag = Rule(Hold(), event="*", path=f"{where}(?!microservices)")
    rules = proxy.use(*each_first(stage, DropAfter()), lag)
    stage.world.create(**EVERY_KIND)
    stage.until(lambda: told(proxy.mutating(since, stage.world.namespace)))
    assert _taken(proxy, since) == {kind.resource for kind in KINDS.values()}
    proxy.release()
    stage.settle("create")
    writes = proxy.mutating(since, stage.world.namespace)
    assert all(rules.acted(number) == 1 for number in range(NEEDED))
    assert len(writes) <= 2 * NEEDED + 2
    assert not told(writes) & {"NotOwned", "RetryingApply", "InternalError"}
    assert stage.world.events() == []


def _taken(proxy: FaultProxy, since: int) -> set[str]:
    """Resources of which an object was made a second time."""
    return {seen.resource for seen in proxy.mutating(since) if seen.code == 409}


def test_an_update_whose_reply_is_lost_has_no_effect_twice(stage: Stage, proxy: FaultProxy) -> None:
    stage.world.create()
    stage.until_ready()
    since = proxy.here()
    proxy.use(*each_first(stage, DropAfter()))
    stage.world.change(image="registry.invalid/web:2")
    stage.settle("image-change")
    applied = applies(proxy.mutating(since, stage.world.namespace))
    assert applied.keys() == {"deployments.apps"}
    assert applied.total() <= 2  # once, if the watch told it sooner


def test_a_conflict_on_every_first_write_is_nobodys_news(
    stage: Stage, proxy: FaultProxy, operator: Process
) -> None:
    since, conflict = proxy.here(), Answer(409, "Conflict", "the object has been modified")
    lease = Rule(conflict, method="PATCH", path="/leases/", nth=1)
    rules = proxy.use(*each_first(stage, conflict), lease)
    stage.world.create(**EVERY_KIND)
    stage.settle("create")
    eventually(lambda: rules.acted(NEEDED), 15)
    stage.world.marker()
    writes = proxy.mutating(since, stage.world.namespace)
    ours = [seen for seen in writes if seen.target.name == "web"]
    assert len(ours) <= 2 * NEEDED + 2
    assert "RetryingApply" not in told(ours)
    assert stage.world.events() == []
    assert operator.running()


def test_429_slows_everything_down_for_as_long_as_the_server_asked(
    stage: Stage, proxy: FaultProxy
) -> None:
    since, slow = proxy.here(), Answer(429, "TooManyRequests", headers={"Retry-After": "4"})
    proxy.use(Rule(slow, method="WRITE", path=f"/{stage.world.namespace}/deployments/", nth=1))
    stage.world.create(**EVERY_KIND)
    refused = stage.until(
        lambda: next((s for s in proxy.mutating(since) if s.code == 429), None), 30
    )
    for number in range(3):
        stage.world.create(f"more-{number}")
    stage.settle("create")
    later = [s for s in proxy.mutating(since) if s.target.name.startswith("more-")]
    assert min(seen.at for seen in later) - refused.at >= 3
    assert applies(proxy.mutating(since, stage.world.namespace))["deployments.apps"] == 5


@pytest.mark.parametrize("seed", REGRESSIONS, ids=lambda path: path.stem)
def test_a_third_of_all_requests_fails_and_it_converges_without_a_storm(
    stage: Stage, proxy: FaultProxy, operator: Process, seed: Path
) -> None:
    """Each fault costs one more request; beyond that, half as many again are too many."""
    names, since = ("web", "one", "two", "three"), proxy.here()
    rules = proxy.use(*load(seed.read_text()))
    for name in names:
        stage.world.create(name, **EVERY_KIND)
    stage.settle("create")
    stage.until(lambda: all(stage.world.ready(name) for name in names), 120)
    proxy.clear()
    asked = [s for s in proxy.requests[since:] if s.target.namespace == stage.world.namespace]
    passed = [seen for seen in asked if seen.code < 500]
    assert rules.acted() >= 5, "the seed hits something"
    assert len(passed) <= 1.5 * NEEDED * len(names), Counter(seen.what for seen in passed)
    assert operator.running()


def test_what_the_server_cannot_type_is_told_once_and_no_passing_fault(
    stage: Stage, proxy: FaultProxy
) -> None:
    since, error = proxy.here(), Answer(500, "InternalError", UNTYPEABLE)
    proxy.use(Rule(error, method="WRITE", path=f"/{stage.world.namespace}/deployments/web$"))
    stage.world.create(**EVERY_KIND)
    stage.until(lambda: stage.world.reason("Stalled") == "InternalError")
    assert UNTYPEABLE in stage.world.condition("Ready")["message"]
    stage.world.marker()
    refused = [s for s in proxy.mutating(since) if s.code == 500 and s.target.name == "web"]
    assert len(refused) <= 3
    assert len(stage.world.events("InternalError")) == 1
    proxy.clear()
    stage.nudge()
    stage.settle("create")


def test_a_token_that_is_refused_once_costs_one_request(stage: Stage, proxy: FaultProxy) -> None:
    since = proxy.here()
    proxy.use(Rule(Answer(401, "Unauthorized"), method="WRITE", nth=1))
    stage.world.create(**EVERY_KIND)
    stage.settle("create")
    assert len(proxy.mutating(since, stage.world.namespace)) <= NEEDED + 3


def test_watches_that_are_refused_once_resume(
    stage: Stage, proxy: FaultProxy, operator: Process
) -> None:
    stage.world.create(**EVERY_KIND)
    stage.until_ready()
    rules = proxy.use(Rule(Cut()), Rule(Answer(401, "Unauthorized"), method="WATCH", times=9))
    eventually(lambda: rules.acted(1) == 9, 90, lambda: f"refused: {rules.acted(1)}")
    stage.world.delete(KINDS["Service"])
    stage.settle("create")
    assert operator.running()


def test_events_that_are_refused_disturb_nobody(
    stage: Stage, proxy: FaultProxy, operator: Process
) -> None:
    where, since = f"/{stage.world.namespace}", proxy.here()
    proxy.use(
        Rule(Answer(403, "Forbidden"), method="POST", path=f"{where}/events"),
        Rule(Answer(500, message=UNTYPEABLE), method="WRITE", path=f"{where}/deployments/web$"),
    )
    stage.world.create(**EVERY_KIND)
    stage.until(lambda: stage.world.reason("Stalled") == "InternalError")
    stage.world.marker()
    proxy.clear()
    stage.nudge()
    stage.settle("create")
    posted = [seen for seen in proxy.mutating(since) if seen.resource == "events"]
    assert [seen.code for seen in posted] == [403]
    assert operator.running()


def test_a_status_that_cannot_be_written_repeats_no_apply(stage: Stage, proxy: FaultProxy) -> None:
    since = proxy.here()
    rules = proxy.use(Rule(Answer(500), path=f"/{stage.world.namespace}{STATUS}", times=3))
    stage.world.create(**EVERY_KIND)
    stage.settle("create")
    assert rules.acted() == 3
    writes = proxy.mutating(since, stage.world.namespace)
    assert set(applies(writes).values()) == {1}
    assert len(writes) <= NEEDED + 3 + 3


def test_a_status_that_is_refused_for_good_makes_no_loop(
    stage: Stage, proxy: FaultProxy, operator: Process
) -> None:
    """Each refusal is told once, in a line of the log and in a metric."""
    since, path = proxy.here(), "/microservices/web/status$"
    told, complained = _refusals(operator), operator.log.read_text().count(COMPLAINT)
    proxy.use(Rule(Answer(422, "Invalid"), method="WRITE", path=path))
    stage.world.create(**EVERY_KIND)
    stage.until(lambda: stage.world.children() == set(KINDS))
    stage.world.marker()
    stage.until(lambda: _available(stage.world))
    stage.world.marker()
    tries = [seen for seen in proxy.mutating(since) if seen.code == 422]
    assert 1 <= len(tries) <= 20  # one for what happened to a child, none for the refusal
    before = len(tries)
    stage.world.marker()
    stage.world.marker()
    assert len([seen for seen in proxy.mutating(since) if seen.code == 422]) <= before + 2
    proxy.clear()
    stage.world.marker()
    tries = [seen for seen in proxy.mutating(since) if seen.code == 422]
    assert _refusals(operator) - told == len(tries)
    assert operator.log.read_text().count(COMPLAINT) - complained == len(tries)
    stage.nudge()
    stage.settle("create")


COMPLAINT = "/web: the API server refuses our status"


def _refusals(operator: Process) -> int:
    lines = operator.metrics().splitlines()
    name = "microservice_operator_status_refused_total"
    return next(int(float(line.split()[1])) for line in lines if line.startswith(name))


def _available(world: World) -> bool:
    status = (world.get(KINDS["Deployment"]) or {}).get("status") or {}
    return bool(status.get("availableReplicas") == 2)


def test_a_new_login_of_kopf_leaves_applies_under_way_alone(
    stage: Stage, proxy: FaultProxy
) -> None:
    where, since = f"/{stage.world.namespace}/", proxy.here()
    proxy.use(Rule(Delay(2.0), method="WRITE", path=where))
    stage.world.create(**EVERY_KIND)
    stage.until(lambda: len(applies(proxy.mutating(since, stage.world.namespace))) == len(KINDS))
    path = f"{MICROSERVICE.path()}$"
    rules = proxy.use(
        Rule(Cut(), path=path), Rule(Answer(401, "Unauthorized"), method="WATCH", path=path, nth=1)
    )
    stage.settle("create")
    assert rules.acted(0) == 1
    assert set(applies(proxy.mutating(since, stage.world.namespace)).values()) == {1}
    eventually(lambda: rules.acted(1), 60)
    stage.world.change(env=[{"name": "A", "value": "b"}])
    stage.until_ready()
