from itertools import pairwise

from tests.fakeapi import FakeApi
from tests.wiring.conftest import Start
from tests.world import PLAIN, SHOP, change, children, make, ready

from microservice_operator.cluster import LEASE

WRITES = ("create", "patch", "delete")


def holder(api: FakeApi) -> str | None:
    lease = api.get(LEASE, "operator", "microservice-operator")
    return lease["spec"].get("holderIdentity") if lease else None


def writers(api: FakeApi) -> set[str]:
    """Who wrote children or status, in the audit log."""
    return {
        request.user
        for request in api.audit
        if request.verb in WRITES and (SHOP in str(request.body) or "/status" in request.resource)
    }


async def test_of_two_operators_only_the_holder_of_the_lease_writes(
    api: FakeApi, start: Start
) -> None:
    await start("a")
    await api.until(lambda: holder(api) == "a")
    await start("b")
    make(api)
    await api.until(lambda: ready(api))
    assert writers(api) == {"a"}


async def test_a_stopped_operator_hands_over_at_once(api: FakeApi, start: Start) -> None:
    first = await start("a")
    await api.until(lambda: holder(api) == "a")
    second = await start("b")
    make(api)
    await api.until(lambda: ready(api))
    await api.until(lambda: any(r.user == "b" and r.verb == "watch" for r in api.audit))
    stopped = second.app.clock.monotonic()
    await first.stop()
    await api.until(lambda: holder(api) == "b")
    assert second.app.clock.monotonic() - stopped < 15
    make(api, "next", PLAIN)
    await api.until(lambda: ready(api, "next"))


async def test_the_standby_takes_over_a_converged_cluster_without_a_write(
    api: FakeApi, start: Start
) -> None:
    first = await start("a")
    make(api)
    await api.until(lambda: ready(api))
    await start("b")
    await first.stop()
    await api.until(lambda: holder(api) == "b")
    make(api, "marker", PLAIN)
    await api.until(lambda: ready(api, "marker"))
    names = {r.name for r in api.audit if r.user == "b" and r.verb in WRITES}
    assert "orders" not in names


async def test_a_holder_that_was_cut_off_is_replaced_when_its_lease_ends(
    api: FakeApi, start: Start
) -> None:
    await start("a")
    await api.until(lambda: holder(api) == "a")
    await start("b")
    api.cut_off("a")
    await api.until(lambda: holder(api) == "b")
    make(api, spec=PLAIN)
    await api.until(lambda: ready(api))
    assert "a" not in writers(api)


async def test_what_the_killed_one_left_half_done_is_finished_not_repeated(
    api: FakeApi, start: Start
) -> None:
    await start("a")
    await api.until(lambda: holder(api) == "a")
    api.after_writes("a", 3, lambda: api.cut_off("a"))
    make(api)
    await api.until(lambda: "a" in api.banned)
    await start("b")
    await api.until(lambda: ready(api))
    created = [r for r in api.audit if r.code == 201 and r.name == "orders"]
    assert len(created) == len(children(api))
    assert {r.user for r in created} == {"a", "b"}


async def test_an_operator_that_lost_the_lease_writes_nothing_until_it_has_it_again(
    api: FakeApi, start: Start
) -> None:
    operator = await start("a")
    await api.until(lambda: holder(api) == "a")
    await operator.until(lambda app: app.lease.held)
    api.denied.add(("patch", LEASE.resource))
    await operator.until(lambda app: not app.lease.held)
    make(api, spec=PLAIN)
    await api.until(lambda: [r for r in api.audit if r.code == 403][3:])
    assert writers(api) == set()
    api.denied.clear()
    await api.until(lambda: ready(api))


async def test_the_lease_is_renewed_by_a_single_replica_too(api: FakeApi, start: Start) -> None:
    operator = await start("a")
    await api.until(lambda: [r for r in api.audit if r.verb == "patch"][4:])
    await operator.until(lambda app: app.lease.held)
    versions = [r.body["metadata"]["resourceVersion"] for r in api.audit if r.verb == "patch"]
    assert all(int(a) < int(b) for a, b in pairwise(versions))


async def test_a_change_during_the_takeover_is_not_missed(api: FakeApi, start: Start) -> None:
    first = await start("a")
    make(api, spec=PLAIN)
    await api.until(lambda: ready(api))
    await start("b")
    await first.stop()
    change(api, image="shop/orders:2")
    await api.until(lambda: ready(api))
