from copy import deepcopy
from typing import Any

from tests.fakeapi import FakeApi
from tests.wiring.conftest import Start
from tests.world import FULL, PLAIN, SEVEN, SHOP, change, children, condition, make, ready

from microservice_operator.api.kinds import MICROSERVICE
from microservice_operator.desired import KINDS

SERVICE = KINDS["Service"]


def foreign(api: FakeApi, **metadata: Any) -> Any:
    manifest = {
        "metadata": {"name": "orders", "namespace": SHOP, **metadata},
        "spec": {"selector": {"app": "legacy"}},
    }
    return deepcopy(api.create(SERVICE, manifest))


async def test_an_object_of_somebody_else_is_reported_and_not_touched(
    api: FakeApi, start: Start
) -> None:
    before = foreign(api)
    make(api)
    await start()
    await api.until(lambda: condition(api, "Stalled") == ("True", "NotOwned"))
    assert api.get(SERVICE, SHOP, "orders") == before
    assert children(api) == SEVEN  # the rest is applied


async def test_a_label_or_a_name_does_not_make_an_object_ours(api: FakeApi, start: Start) -> None:
    owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "x", "uid": "other"}
    before = foreign(
        api,
        labels={"app.kubernetes.io/managed-by": "microservice-operator"},
        ownerReferences=[{**owner, "controller": True}],
    )
    make(api)
    await start()
    await api.until(lambda: condition(api, "Stalled") == ("True", "NotOwned"))
    assert api.get(SERVICE, SHOP, "orders") == before


async def test_nothing_is_pruned_while_an_object_is_not_ours(api: FakeApi, start: Start) -> None:
    make(api)
    await start()
    await api.until(lambda: ready(api))
    api.edit(SERVICE, SHOP, "orders", {"metadata": {"ownerReferences": None}})
    change(api, routes=None)
    await api.until(lambda: condition(api, "Stalled") == ("True", "NotOwned"))
    assert "HTTPRoute" in children(api)


async def test_a_child_that_a_person_released_is_theirs(api: FakeApi, start: Start) -> None:
    make(api)
    await start()
    await api.until(lambda: ready(api))
    api.edit(SERVICE, SHOP, "orders", {"metadata": {"ownerReferences": None}})
    before = deepcopy(api.get(SERVICE, SHOP, "orders"))
    await api.until(lambda: condition(api, "Stalled") == ("True", "NotOwned"))
    assert api.get(SERVICE, SHOP, "orders") == before


async def test_it_is_ready_once_the_other_object_is_gone(api: FakeApi, start: Start) -> None:
    foreign(api)
    make(api)
    await start()
    await api.until(lambda: condition(api, "Stalled") == ("True", "NotOwned"))
    api.remove(SERVICE, SHOP, "orders")
    change(api, image="shop/orders:2")  # any event is a reason to look again
    await api.until(lambda: ready(api))


async def test_remains_of_a_predecessor_are_waited_for(api: FakeApi, start: Start) -> None:
    owner = {
        "apiVersion": MICROSERVICE.api_version,
        "kind": MICROSERVICE.kind,
        "name": "orders",
        "uid": "of-the-deleted-one",
        "controller": True,
    }
    foreign(api, ownerReferences=[owner])
    make(api)
    await start()
    await api.until(lambda: condition(api, "Reconciling") == ("True", "RetryingApply"))
    api.remove(SERVICE, SHOP, "orders")  # the garbage collector got there
    await api.until(lambda: ready(api))


async def test_a_child_that_lost_its_label_is_found_and_labelled_again(
    api: FakeApi, start: Start
) -> None:
    make(api)
    await start()
    await api.until(lambda: ready(api))
    label = "app.kubernetes.io/managed-by"
    api.edit(SERVICE, SHOP, "orders", {"metadata": {"labels": {label: None}}})
    await api.until(
        lambda: label in api.get(SERVICE, SHOP, "orders")["metadata"]["labels"] and ready(api)
    )


async def test_services_do_not_touch_each_other(api: FakeApi, start: Start) -> None:
    make(api)
    make(api, "other", PLAIN)
    await start()
    await api.until(lambda: ready(api, "orders", "other"))
    before = {kind: deepcopy(api.get(kind, SHOP, "other")) for kind in KINDS.values()}
    change(api, image="shop/orders:2", autoscaling=None, replicas=2)
    await api.until(lambda: ready(api))
    assert FULL["image"] != "shop/orders:2"
    assert {kind: api.get(kind, SHOP, "other") for kind in KINDS.values()} == before
