from collections import Counter
from typing import Any

from tests.fakeapi import FakeApi
from tests.wiring.conftest import Start
from tests.world import FULL, PLAIN, SEVEN, SHOP, change, children, condition, make, ready

from microservice_operator.api.kinds import MICROSERVICE
from microservice_operator.cluster import EVENT
from microservice_operator.desired import KINDS

DEPLOYMENT = KINDS["Deployment"]


def image(api: FakeApi) -> str:
    containers = api.get(DEPLOYMENT, SHOP, "orders")["spec"]["template"]["spec"]["containers"]
    return str(containers[0]["image"])


async def settled(api: FakeApi, start: Start) -> Counter[str]:
    """A Ready service; the writes so far."""
    make(api)
    await start()
    await api.until(lambda: ready(api))
    return api.writes()


async def marker(api: FakeApi) -> None:
    """A second service that is Ready proves that events before it have been dealt with."""
    make(api, "marker", PLAIN)
    await api.until(lambda: ready(api, "marker"))


async def test_a_microservice_gets_its_children_and_becomes_ready(
    api: FakeApi, start: Start
) -> None:
    make(api)
    await start()
    await api.until(lambda: ready(api))
    assert children(api) == SEVEN


async def test_one_made_while_the_operator_runs_is_ready_too(api: FakeApi, start: Start) -> None:
    await start()
    make(api)
    await api.until(lambda: ready(api))
    assert children(api) == SEVEN


async def test_a_new_image_reaches_the_deployment(api: FakeApi, start: Start) -> None:
    await settled(api, start)
    change(api, image="shop/orders:2")
    await api.until(lambda: ready(api))
    assert image(api) == "shop/orders:2"


async def test_a_feature_that_is_removed_takes_its_children_along(
    api: FakeApi, start: Start
) -> None:
    await settled(api, start)
    change(api, autoscaling=None, routes=None, replicas=1)
    await api.until(lambda: ready(api) and children(api) < SEVEN)
    assert SEVEN - children(api) == {
        "HorizontalPodAutoscaler",
        "PodDisruptionBudget",
        "HTTPRoute",
    }


async def test_a_field_changed_by_hand_is_reverted_with_one_write(
    api: FakeApi, start: Start
) -> None:
    before = await settled(api, start)
    mine = {"microservice.dev/name": "mine"}
    api.edit(KINDS["Service"], SHOP, "orders", {"spec": {"selector": mine}})
    await api.until(lambda: api.writes() != before)
    await marker(api)
    assert api.get(KINDS["Service"], SHOP, "orders")["spec"]["selector"] != mine
    assert (
        sum(1 for r in api.audit if r.name == "orders" and r.verb == "patch") == 1 + before.total()
    )


async def test_a_fight_over_one_child_is_told_once_and_delays_no_other(
    api: FakeApi, start: Start
) -> None:
    service, policy = KINDS["Service"], KINDS["NetworkPolicy"]
    await settled(api, start)
    mine = {"spec": {"selector": {"microservice.dev/name": "mine"}}}

    def events() -> list[Any]:
        return [r.body for r in api.audit if r.resource == EVENT.resource]

    def repaired() -> bool:
        selector = api.get(service, SHOP, "orders")["spec"]["selector"]
        return bool(selector["microservice.dev/name"] == "orders")

    for _ in range(5):
        await api.until(repaired)
        api.edit(service, SHOP, "orders", mine, "rival")
    await api.until(repaired)
    api.edit(service, SHOP, "orders", mine, "rival")
    await api.until(events)
    api.remove(policy, SHOP, "orders")
    await api.until(lambda: api.get(policy, SHOP, "orders"))
    assert not repaired(), "the rival has its way for ten seconds"
    await api.until(repaired)
    (event,) = events()
    assert (event["type"], event["reason"]) == ("Warning", "Contested")
    assert event["message"].startswith("rival undoes every repair of Service orders")


async def test_fields_of_others_stay(api: FakeApi, start: Start) -> None:
    before = await settled(api, start)
    note = {"metadata": {"annotations": {"example.com/note": "kept"}}}
    api.edit(KINDS["Service"], SHOP, "orders", note)
    change(api, ports=[{"name": "http", "port": 9000}])
    await api.until(lambda: api.writes()["patch services"] > before["patch services"])
    await api.until(lambda: ready(api))
    live = api.get(KINDS["Service"], SHOP, "orders")
    assert live["metadata"]["annotations"] == {"example.com/note": "kept"}
    assert live["spec"]["ports"][0]["port"] == 9000


async def test_a_child_that_is_deleted_comes_back_after_one_look_at_the_service(
    api: FakeApi, start: Start
) -> None:
    before = await settled(api, start)
    api.remove(KINDS["NetworkPolicy"], SHOP, "orders")
    await api.until(lambda: children(api) == SEVEN)
    await marker(api)
    looks = [r for r in api.audit if r.verb == "get" and r.resource == MICROSERVICE.resource]
    policies = "patch networkpolicies.networking.k8s.io"
    assert api.writes()[policies] == before[policies] + 2  # one of them is the marker's
    assert len(looks) == 1


async def test_a_deleted_service_costs_no_write_and_stays_deleted(
    api: FakeApi, start: Start
) -> None:
    before = await settled(api, start)
    api.remove(MICROSERVICE, SHOP, "orders")
    await marker(api)
    assert children(api) == set()
    assert not [r for r in api.audit[before.total() :] if r.name == "orders" and r.code == 201][7:]


async def test_one_made_again_with_the_same_name_gets_its_own_children(
    api: FakeApi, start: Start
) -> None:
    await settled(api, start)
    old = api.get(DEPLOYMENT, SHOP, "orders")["metadata"]["uid"]
    api.remove(MICROSERVICE, SHOP, "orders")
    make(api)
    await api.until(lambda: ready(api))
    assert api.get(DEPLOYMENT, SHOP, "orders")["metadata"]["uid"] != old
    assert children(api) == SEVEN


async def test_a_touch_that_means_nothing_writes_nothing(api: FakeApi, start: Start) -> None:
    before = await settled(api, start)
    api.edit(MICROSERVICE, SHOP, "orders", {"metadata": {"labels": {"team": "checkout"}}})
    metrics = {"status": {"currentMetrics": [{"type": "Resource"}]}}
    api.edit(KINDS["HorizontalPodAutoscaler"], SHOP, "orders", metrics, "controllers")
    await marker(api)
    assert [r for r in api.audit if r.name == "orders" and r.verb == "patch"][
        before.total() :
    ] == []


async def test_a_restart_writes_nothing(api: FakeApi, start: Start) -> None:
    make(api)
    first = await start("first")
    await api.until(lambda: ready(api))
    await first.stop()
    await start("second")
    make(api, "marker", PLAIN)
    await api.until(lambda: ready(api, "marker"))
    assert {r.name for r in api.audit if r.user == "second" and r.verb == "patch"} <= {
        "marker",
        "microservice-operator",
    }


async def test_an_invalid_spec_is_reported_not_retried(api: FakeApi, start: Start) -> None:
    make(api, spec={**PLAIN, "replicas": 2, "autoscaling": FULL["autoscaling"]})
    await start()
    await api.until(lambda: condition(api, "Stalled") == ("True", "InvalidSpec"))
    await marker(api)
    assert children(api) == set()
    assert [r.resource for r in api.audit if r.verb == "patch" and r.name == "orders"] == [
        "microservices.microservice.dev/status"
    ]


async def test_a_paused_service_is_left_alone_until_it_is_resumed(
    api: FakeApi, start: Start
) -> None:
    await settled(api, start)
    pause = {"metadata": {"annotations": {"microservice.dev/paused": "true"}}}
    api.edit(MICROSERVICE, SHOP, "orders", pause)
    change(api, image="shop/orders:2")
    await marker(api)
    assert image(api) == "shop/orders:1"
    resume = {"metadata": {"annotations": {"microservice.dev/paused": None}}}
    api.edit(MICROSERVICE, SHOP, "orders", resume)
    await api.until(lambda: image(api) == "shop/orders:2")


async def test_of_many_edits_in_a_row_the_last_one_wins_with_few_writes(
    api: FakeApi, start: Start
) -> None:
    make(api, spec=PLAIN | {"replicas": 1})
    await start(speed=1.0)
    await api.until(lambda: ready(api))
    for number in range(100):
        change(api, image=f"shop/orders:{number}")
    await api.until(lambda: ready(api))
    assert image(api) == "shop/orders:99"
    assert api.writes()["patch deployments.apps"] <= 5
