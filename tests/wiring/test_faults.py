import asyncio
from typing import Any

import pytest
from tests.fakeapi import FakeApi, Fault
from tests.fakecontrollers import FakeControllers
from tests.wiring.conftest import Start
from tests.world import PLAIN, SEVEN, SHOP, change, children, condition, make, ready

from microservice_operator import reconcile
from microservice_operator.api.kinds import MICROSERVICE
from microservice_operator.cluster import EVENT, POD
from microservice_operator.desired import KINDS
from microservice_operator.observed import Plan
from microservice_operator.plan import plan

DEPLOYMENTS, STATUS = "deployments.apps", "microservices.microservice.dev/status"


@pytest.mark.parametrize(
    "fault",
    [
        Fault("patch", DEPLOYMENTS, 500),
        Fault("patch", DEPLOYMENTS, 503, times=3),
        Fault("patch", "*", 504, times=5),
        Fault("patch", DEPLOYMENTS, 409, "Conflict"),
        Fault("patch", STATUS, 409, "Conflict", times=2),
        Fault("patch", "*", lost=True),
        Fault("patch", DEPLOYMENTS, lost=True),
        Fault("*", "*", 500, times=40),
        Fault("list", "services", 500, times=2),
        Fault("watch", "services", 500, times=2),
        Fault("list", MICROSERVICE.resource, 503),
    ],
    ids=lambda fault: f"{fault.verb}-{fault.resource}-{'lost' if fault.lost else fault.code}",
)
async def test_a_passing_fault_delays_but_changes_nothing(
    api: FakeApi, start: Start, fault: Fault
) -> None:
    api.faults.append(fault)
    make(api)
    await start()
    await api.until(lambda: ready(api))
    assert children(api) == SEVEN
    assert fault.times == 0


async def test_a_reply_that_was_lost_causes_no_second_object_and_no_alarm(
    api: FakeApi, start: Start
) -> None:
    api.faults.append(Fault("patch", DEPLOYMENTS, lost=True))
    make(api)
    await start()
    await api.until(lambda: ready(api))
    told = [
        condition["reason"]
        for request in api.audit
        if request.resource == STATUS
        for condition in request.body["status"].get("conditions", ())
    ]
    assert not {"NotOwned", "RetryingApply", "InternalError"} & set(told)


async def test_429_slows_everything_down_for_as_long_as_the_server_asked(
    api: FakeApi, start: Start
) -> None:
    headers = {"Retry-After": "10"}  # half a second, twenty times as fast as life
    make(api, spec=PLAIN)
    operator = await start()
    await api.until(lambda: ready(api))
    api.faults.append(Fault("patch", DEPLOYMENTS, 429, "TooManyRequests", headers=headers))
    change(api, image="shop/orders:2")
    await api.until(lambda: api.faults[0].times == 0)
    before = operator.app.clock.monotonic()
    for number in range(3):
        make(api, f"s{number}", PLAIN)
    await api.until(lambda: len(children(api, "s0")) + len(children(api, "s2")) >= 2)
    assert operator.app.clock.monotonic() - before >= 7
    await api.until(lambda: ready(api, "orders", "s0", "s1", "s2"))


async def test_a_request_that_hangs_holds_up_no_other_service(api: FakeApi, start: Start) -> None:
    api.faults.append(Fault("patch", DEPLOYMENTS, hang=True))
    make(api)
    await start()
    await api.until(lambda: api.faults[0].times == 0)
    make(api, "other", PLAIN)
    await api.until(lambda: ready(api, "other"))


async def test_a_failure_of_more_than_ten_seconds_is_told(api: FakeApi, start: Start) -> None:
    make(api)
    await start()
    await api.until(lambda: ready(api))
    fault = Fault("patch", "services", 503, times=10**6)
    api.faults.append(fault)
    api.remove(KINDS["Service"], SHOP, "orders")
    await api.until(lambda: condition(api, "Reconciling") == ("True", "RetryingApply"))
    assert condition(api, "Ready") == ("True", "Ready")
    fault.times = 0
    await api.until(lambda: ready(api) and condition(api, "Reconciling") is None)


async def test_a_refusal_by_a_policy_is_told_in_the_servers_words(
    api: FakeApi, start: Start
) -> None:
    words = 'admission webhook "policy.example.com" denied the request: no :latest'
    api.faults.append(Fault("patch", DEPLOYMENTS, 403, "Forbidden", words, times=10**6))
    make(api)
    await start()
    await api.until(lambda: condition(api, "Stalled") == ("True", "AdmissionDenied"))
    conditions = api.get(MICROSERVICE, SHOP, "orders")["status"]["conditions"]
    assert any(words in condition["message"] for condition in conditions)
    assert children(api) == SEVEN - {"Deployment"}


async def test_a_refused_status_is_not_tried_again(api: FakeApi, start: Start) -> None:
    fault = Fault("patch", STATUS, 422, "Invalid", times=10**6)
    api.faults.append(fault)
    make(api, spec=PLAIN)
    await start()
    await api.until(lambda: len(children(api)) == 4)
    make(api, "marker", PLAIN)
    await api.until(lambda: len(children(api, "marker")) == 4)
    tries = [r for r in api.audit if r.resource == STATUS and r.name == "orders"]
    assert len(tries) <= 3  # one for each thing that happened to the Deployment


async def test_a_watch_that_expired_ends_in_a_new_list_and_nothing_is_missed(
    api: FakeApi, start: Start
) -> None:
    make(api)
    await start()
    await api.until(lambda: ready(api))
    service = KINDS["Service"]
    api.expire(service, while_away=lambda: api.remove(service, SHOP, "orders"))
    await api.until(lambda: children(api) == SEVEN)


async def test_a_service_deleted_in_a_gap_of_the_watch_is_not_brought_back(
    api: FakeApi, start: Start
) -> None:
    make(api)
    await start()
    await api.until(lambda: ready(api))
    api.expire(MICROSERVICE, while_away=lambda: api.remove(MICROSERVICE, SHOP, "orders"))
    make(api, "marker", PLAIN)
    await api.until(lambda: ready(api, "marker"))
    created = [r for r in api.audit if r.name == "orders" and r.code == 201]
    assert children(api) == set()
    assert len(created) == len(SEVEN)


async def test_a_service_that_goes_before_its_first_status_is_not_brought_back(
    api: FakeApi, start: Start
) -> None:
    fault = Fault("patch", STATUS, 500, times=10**6)
    api.faults.append(fault)
    make(api)
    await start()
    await api.until(lambda: children(api) == SEVEN)
    api.expire(MICROSERVICE, while_away=lambda: api.remove(MICROSERVICE, SHOP, "orders"))
    fault.times = 0
    make(api, "marker", PLAIN)
    await api.until(lambda: ready(api, "marker"))
    created = [r for r in api.audit if r.name == "orders" and r.code == 201]
    assert len(created) == len(SEVEN)
    assert children(api) == set()


async def test_a_namespace_that_ends_gets_no_second_try(api: FakeApi, start: Start) -> None:
    fault = Fault("patch", "*", 403, "Forbidden", "terminating", cause="NamespaceTerminating")
    fault.times = 10**6
    api.faults.append(fault)
    make(api)
    await start()
    await api.until(lambda: len(api.audit) and 10**6 - fault.times >= len(SEVEN))
    fault.resource = DEPLOYMENTS  # others may live
    make(api, "marker", {**PLAIN})
    await api.until(lambda: "Service" in children(api, "marker"))
    assert [r for r in api.audit if r.name == "orders" and r.verb == "patch"][len(SEVEN) :] == []


async def test_events_that_are_refused_disturb_nobody(api: FakeApi, start: Start) -> None:
    api.faults.append(Fault("create", EVENT.resource, 403, "Forbidden", times=10**6))
    make(api, spec={**PLAIN, "replicas": 2, "autoscaling": {"maxReplicas": 3}})
    await start()
    await api.until(lambda: condition(api, "Stalled") == ("True", "InvalidSpec"))
    change(api, replicas=None)
    await api.until(lambda: ready(api))


async def test_a_bug_that_one_service_hits_is_told_and_spares_the_others(
    api: FakeApi, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    def poisoned(wanted: Any, *seen: Any) -> Plan:
        if any(manifest["metadata"]["name"] == "orders" for _, manifest in wanted):
            raise ZeroDivisionError("poison")
        return plan(wanted, *seen)

    monkeypatch.setattr(reconcile, "plan", poisoned)
    make(api)
    make(api, "other", PLAIN)
    await start()
    await api.until(lambda: ready(api, "other"))
    await api.until(lambda: condition(api, "Reconciling") == ("True", "InternalError"))
    monkeypatch.setattr(reconcile, "plan", plan)
    await api.until(lambda: ready(api))


async def test_pods_that_may_not_be_listed_cost_the_diagnosis_and_nothing_else(
    api: FakeApi, start: Start, controllers: FakeControllers
) -> None:
    controllers.broken.add("orders")
    api.denied.add(("list", POD.resource))
    make(api, spec=PLAIN)
    await start()

    def told() -> str:
        conditions = api.get(MICROSERVICE, SHOP, "orders")["status"].get("conditions") or ()
        return next((str(c["message"]) for c in conditions if c["type"] == "Ready"), "")

    await api.until(lambda: "the operator may not list pods" in told())
    await asyncio.sleep(2.0)  # 40 s of its life, in which it would look three times more
    about = [r for r in api.audit if r.name == "orders" and r.resource == STATUS]
    assert len([r for r in api.audit if r.resource == POD.resource]) == 1
    assert len(about) <= 2  # in progress, and then why that is all that can be said
    change(api, replicas=0)
    await api.until(lambda: ready(api))
