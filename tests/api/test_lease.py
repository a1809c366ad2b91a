"""Who may write, and how soon the next one does."""

import time
from collections.abc import Iterator

import pytest
from tests.api.operator_process import Operators, eventually
from tests.api.pair import Pair, pair
from tests.api.proxy import FaultProxy
from tests.api.rules import Answer, Freeze, Hold, Rule
from tests.api.seen import Seen
from tests.api.server import ApiServer
from tests.api.world import World

from microservice_operator.desired import KINDS

pytestmark = pytest.mark.api

LEASES = "/leases/"
AFTER_KILL, AFTER_STOP = 17.0, 2.0  # seconds until the standby acts
TRUST, DURATION = 10.0, 15.0  # seconds after a renewal: that its holder, that others rely on it
FIRST_REACTION = 1.0  # seconds after it holds the Lease
A_PASS = 1.0  # seconds that one which has begun may take
NEW = [{"name": "RELEASE", "value": "2"}]


@pytest.fixture
def operators(api_server: ApiServer, started: Operators, proxy: FaultProxy) -> Iterator[Pair]:
    with pair(api_server, started) as both:
        yield both


def writes(proxy: FaultProxy, who: str, since: int) -> list[Seen]:
    return [seen for seen in proxy.mutating(since) if seen.who == who]


def first_write(proxy: FaultProxy, who: str, since: int) -> Seen:
    found: Seen = eventually(lambda: next(iter(writes(proxy, who, since)), None), 30)
    return found


def renewals(proxy: FaultProxy, who: str, since: int = 0) -> list[Seen]:
    return [
        seen
        for seen in proxy.requests[since:]
        if (seen.who, seen.method, seen.code) == (who, "PATCH", 200) and LEASES in seen.path
    ]


def converged(world: World) -> None:
    world.create("metered", replicas=0, observability={"metrics": {"port": "http"}})
    world.create()
    for name in ("metered", "web"):
        world.until_ready(name)


def repeated(proxy: FaultProxy, namespace: str) -> list[str]:
    """Children that were written a second time, though nobody asked for it."""
    done = [
        seen.what
        for seen in proxy.mutating()
        if seen.target.namespace == namespace and seen.applies and seen.code < 300
    ]
    return [what for what in done if done.count(what) > 1]


def test_the_standby_acts_soon_after_a_kill_and_writes_only_what_is_missing(
    world: World, operators: Pair, proxy: FaultProxy
) -> None:
    converged(world)
    operators.leader.kill()
    killed, since = time.monotonic(), proxy.here()
    world.create("next", replicas=0)
    first, held = first_write(proxy, "standby", since).at, renewals(proxy, "standby", since)[0].at
    print(
        f"the standby wrote {first - killed:.1f} s after the kill, {first - held:.2f} s as leader"
    )
    assert first - killed <= AFTER_KILL
    assert first - held < FIRST_REACTION
    world.until_ready("next")
    assert {seen.target.name for seen in writes(proxy, "standby", since)} == {"next"}
    assert repeated(proxy, world.namespace) == []


def test_the_standby_acts_at_once_after_a_stop_and_writes_only_what_is_missing(
    world: World, operators: Pair, proxy: FaultProxy
) -> None:
    converged(world)
    stopped, since = time.monotonic(), proxy.here()
    operators.leader.terminate()
    world.until(lambda: operators.holder() != "leader", 10)
    world.create("next", replicas=0)
    took = first_write(proxy, "standby", since).at - stopped
    print(f"the standby wrote {took:.1f} s after SIGTERM")
    assert took <= AFTER_STOP
    world.until_ready("next")
    assert operators.leader.exit_status() == 0
    assert {seen.target.name for seen in writes(proxy, "standby", since)} == {"next"}
    assert repeated(proxy, world.namespace) == []


def live_a_little(world: World) -> None:
    """Made, changed and repaired."""
    converged(world)
    world.change(env=NEW)
    world.delete(KINDS["Service"])
    world.until(lambda: world.get(KINDS["Service"]))
    world.until_ready()
    world.marker()


def test_only_the_holder_writes_and_what_is_converged_stands_still(
    world: World, operators: Pair, proxy: FaultProxy
) -> None:
    since = proxy.here()
    live_a_little(world)
    assert writes(proxy, "standby", since) == []
    before = generations(world)
    world.marker()
    assert generations(world) == before


@pytest.mark.long
def test_two_that_both_write_do_not_fight(
    world: World, started: Operators, proxy: FaultProxy, api_server: ApiServer
) -> None:
    """As for a moment while one is cut off: the second one writes without the Lease."""
    with pair(api_server, started, altered=["lawless"]) as both:
        since = proxy.here()
        live_a_little(world)
        assert {seen.who for seen in proxy.mutating(since)} == {"leader", "standby"}
        before, since = generations(world), proxy.here()
        time.sleep(5)
        assert generations(world) == before
        assert before["Deployment", "web"] == 2
        assert proxy.mutating(since) == []
        assert both.running()


def generations(world: World) -> dict[tuple[str, str], int]:
    """Of children: it grows with each change of what is wanted."""
    return {
        (kind.kind, live["metadata"]["name"]): live["metadata"].get("generation", 0)
        for kind in KINDS.values()
        for live in world.list(kind)
        if live["metadata"]["name"] in ("web", "metered")
    }


def test_a_leader_that_cannot_renew_stops_in_time_and_resumes_when_it_may(
    world: World, operators: Pair, proxy: FaultProxy
) -> None:
    converged(world)
    since = proxy.here()
    proxy.use(Rule(Hold(), method="PATCH", path=LEASES, who="leader"))
    for number in range(1000):
        world.change(env=[{"name": "NUMBER", "value": str(number)}])
        if writes(proxy, "standby", since):
            break
        time.sleep(0.5)
    last = renewals(proxy, "leader")[-1].at
    began = max(seen.at for seen in writes(proxy, "leader", since)) - last
    print(f"the leader wrote last {began:.1f} s after its last renewal")
    assert began < TRUST + A_PASS
    assert renewals(proxy, "standby", since)[0].at - last >= DURATION - 0.1
    assert operators.running()
    proxy.clear()
    assert operators.standby.stop() == 0
    world.until(lambda: operators.holder() == "leader", 10)
    since = proxy.here()
    world.change(env=NEW)
    world.until_ready()
    assert {seen.who for seen in proxy.mutating(since)} == {"leader"}


def test_a_conflict_about_the_lease_ends_nobody(
    world: World, operators: Pair, proxy: FaultProxy
) -> None:
    since = proxy.here()
    used = proxy.use(Rule(Answer(409, "Conflict"), method="PATCH", path=LEASES, times=3))
    world.until(lambda: used.acted() == 3, 20)
    world.until(lambda: operators.leading() == ["leader"], 20)
    world.create(replicas=0)
    world.until_ready()
    assert operators.running()
    assert writes(proxy, "standby", since) == []


@pytest.mark.long
def test_a_standby_that_hears_nothing_of_the_lease_takes_over_all_the_same(
    world: World, operators: Pair, proxy: FaultProxy
) -> None:
    """Its watch of the Lease is silent; the leader renews, and is then killed."""
    proxy.use(Rule(Freeze(), method="WATCH", path="/leases$", who="standby"))
    since = proxy.here()
    world.until(lambda: len(renewals(proxy, "leader", since)) >= 5, 40)
    assert renewals(proxy, "standby", since) == []
    operators.leader.kill()
    killed, since = time.monotonic(), proxy.here()
    world.create(replicas=0)
    assert first_write(proxy, "standby", since).at - killed <= AFTER_KILL
    world.until_ready()
