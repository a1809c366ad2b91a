"""An operator with a Role in some namespaces instead of a ClusterRole."""

from typing import Any

import pytest
from tests.fakeapi import FakeApi
from tests.wiring.conftest import Start
from tests.world import PLAIN

from microservice_operator.api.kinds import MICROSERVICE
from microservice_operator.cluster import DEFINITION, REVIEW
from microservice_operator.desired import KINDS
from microservice_operator.permissions import NotAllowed

ROUTE, MONITOR = KINDS["HTTPRoute"], KINDS["ServiceMonitor"]
HOME = "operator"  # where its Lease is
METRICS = PLAIN | {"observability": {"metrics": {"port": "http"}}}


@pytest.fixture
def bound(api: FakeApi) -> FakeApi:
    """The rights of a chart with namespaces blue and red, of which only these two exist."""
    api.bound = {HOME, "blue", "red"}
    return api


def make(api: FakeApi, namespace: str, name: str = "orders", spec: Any = None) -> None:
    metadata = {"name": name, "namespace": namespace}
    api.create(MICROSERVICE, {"metadata": metadata, "spec": spec or PLAIN})


def ready(api: FakeApi, namespace: str, name: str = "orders") -> bool:
    status = api.get(MICROSERVICE, namespace, name).get("status", {})
    told = {c["type"]: c["status"] for c in status.get("conditions") or ()}
    return told.get("Ready") == "True"


def state(api: FakeApi, namespace: str, kind: str) -> str | None:
    resources = api.get(MICROSERVICE, namespace, "orders")["status"].get("resources") or ()
    return next((r["state"] for r in resources if r["kind"] == kind), None)


async def test_services_of_its_namespaces_are_run_and_others_are_not_touched(
    bound: FakeApi, start: Start
) -> None:
    for namespace in ("blue", "red", "green"):
        make(bound, namespace)
    await start(namespaces=("blue", "red"))
    await bound.until(lambda: ready(bound, "blue") and ready(bound, "red"))
    assert bound.get(MICROSERVICE, "green", "orders")["status"] == {"observedGeneration": -1}
    assert not [place for place in bound.objects if place[:2] == ("deployments.apps", "green")]


async def test_nothing_outside_its_namespaces_is_ever_asked_for(
    bound: FakeApi, start: Start
) -> None:
    make(bound, "blue")
    await start(namespaces=("blue", "red"))
    await bound.until(lambda: ready(bound, "blue"))
    asked = {(r.resource, r.namespace) for r in bound.audit if r.resource != REVIEW.resource}
    elsewhere = {pair for pair in asked if pair[1] not in {HOME, "blue", "red"}}
    assert elsewhere == {(DEFINITION.resource, "")}
    assert not [r for r in bound.audit if r.code == 403]


async def test_a_namespace_that_is_missing_does_not_hold_up_the_others_and_is_used_once_there(
    bound: FakeApi, start: Start
) -> None:
    make(bound, "blue")
    operator = await start(namespaces=("blue", "later"))
    await bound.until(lambda: ready(bound, "blue"))
    told = 'forbidden{kind="MicroService",service_namespace="later"} 1.0'
    assert told in operator.app.metrics.text()
    assert bound.bound is not None
    bound.bound.add("later")
    make(bound, "later")
    await bound.until(lambda: ready(bound, "later"))
    assert told not in operator.app.metrics.text()


async def test_a_missing_right_in_one_namespace_stalls_nobody_in_another(
    bound: FakeApi, start: Start
) -> None:
    """The Role of `red` allows nothing any more, in the middle of the work."""
    make(bound, "blue")
    make(bound, "red")
    await start(namespaces=("blue", "red"))
    await bound.until(lambda: ready(bound, "blue") and ready(bound, "red"))
    assert bound.bound is not None
    bound.bound.discard("red")
    service = KINDS["Service"]
    bound.expire(service, while_away=lambda: bound.remove(service, "red", "orders"))
    before = len(bound.audit)
    bound.edit(MICROSERVICE, "blue", "orders", {"spec": {"image": "shop/orders:2"}})
    await bound.until(lambda: ready(bound, "blue"))
    writes = [r for r in bound.audit[before:] if r.namespace == "red" and r.code < 300]
    assert writes == []


async def test_without_any_of_its_namespaces_the_start_ends_with_one_sentence(
    bound: FakeApi, start: Start
) -> None:
    operator = await start(namespaces=("green", "later"))
    await operator.ended()
    assert isinstance(operator.failure, NotAllowed)
    assert "may not get microservices.microservice.dev in namespace green" in str(operator.failure)
    assert "namespace later" in str(operator.failure)


async def test_optional_kinds_come_and_go_in_every_namespace(bound: FakeApi, start: Start) -> None:
    bound.uninstall(MONITOR)
    for namespace in ("blue", "red"):
        make(bound, namespace, spec=METRICS)
    await start(namespaces=("blue", "red"))
    both = ("blue", "red")
    await bound.until(lambda: all(ready(bound, n) for n in both))
    assert {state(bound, n, MONITOR.kind) for n in both} == {"Skipped"}
    bound.install(MONITOR)
    await bound.until(lambda: all(state(bound, n, MONITOR.kind) == "Applied" for n in both))
    bound.uninstall(MONITOR)
    await bound.until(lambda: all(state(bound, n, MONITOR.kind) == "Skipped" for n in both))


async def test_without_the_right_to_watch_crds_a_kind_that_goes_is_still_seen_to_be_gone(
    bound: FakeApi, start: Start
) -> None:
    bound.denied |= {(verb, DEFINITION.resource) for verb in ("list", "watch")}
    make(bound, "blue", spec=METRICS)
    await start(namespaces=("blue",))
    await bound.until(lambda: ready(bound, "blue") and state(bound, "blue", "ServiceMonitor"))
    assert state(bound, "blue", "ServiceMonitor") == "Applied"
    bound.expire(MONITOR, while_away=lambda: bound.uninstall(MONITOR))
    await bound.until(lambda: [r for r in bound.audit if r.verb == "list" and r.code == 404])
    bound.edit(MICROSERVICE, "blue", "orders", {"spec": {"image": "shop/orders:2"}})
    await bound.until(lambda: state(bound, "blue", "ServiceMonitor") == "Skipped")
    bound.install(MONITOR)
    await bound.until(lambda: state(bound, "blue", "ServiceMonitor") == "Applied")


async def test_without_the_right_to_watch_crds_it_ends_all_the_same_when_its_own_is_deleted(
    bound: FakeApi, start: Start
) -> None:
    """Never a process without a watch: kopf meets the 404."""
    bound.denied |= {(verb, DEFINITION.resource) for verb in ("list", "watch")}
    make(bound, "blue")
    operator = await start(namespaces=("blue",))
    await bound.until(lambda: ready(bound, "blue"))
    bound.expire(MICROSERVICE, while_away=lambda: bound.uninstall(MICROSERVICE))
    await operator.ended()
    assert operator.failure
