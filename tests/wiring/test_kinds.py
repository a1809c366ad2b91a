import pytest
from tests.fakeapi import FakeApi
from tests.wiring.conftest import Start
from tests.world import FULL, PLAIN, SEVEN, SHOP, change, children, condition, make, ready

from microservice_operator.api.kinds import MICROSERVICE
from microservice_operator.app import DefinitionGone
from microservice_operator.desired import KINDS
from microservice_operator.permissions import NotAllowed

ROUTE, MONITOR = KINDS["HTTPRoute"], KINDS["ServiceMonitor"]
METRICS = {"observability": {"metrics": {"port": "http"}}}


def state(api: FakeApi, kind: str) -> str | None:
    live = api.get(MICROSERVICE, SHOP, "orders") or {}
    resources = live.get("status", {}).get("resources") or ()
    return next((r["state"] for r in resources if r["kind"] == kind), None)


async def test_a_missing_optional_kind_is_skipped_and_used_once_it_is_there(
    api: FakeApi, start: Start
) -> None:
    api.uninstall(MONITOR)
    make(api, spec=PLAIN | METRICS)
    await start()
    await api.until(lambda: ready(api) and state(api, "ServiceMonitor") == "Skipped")
    api.install(MONITOR)
    await api.until(lambda: state(api, "ServiceMonitor") == "Applied")
    assert "ServiceMonitor" in children(api)


async def test_a_route_waits_for_its_kind(api: FakeApi, start: Start) -> None:
    api.uninstall(ROUTE)
    make(api)
    await start()
    await api.until(lambda: condition(api, "RoutesReady") == ("False", "CRDNotInstalled"))
    api.install(ROUTE)
    await api.until(lambda: ready(api))
    assert children(api) == SEVEN


async def test_an_optional_kind_that_goes_away_is_reported(api: FakeApi, start: Start) -> None:
    make(api, spec=PLAIN | METRICS)
    await start()
    await api.until(lambda: state(api, "ServiceMonitor") == "Applied" and ready(api))
    api.uninstall(MONITOR)
    await api.until(lambda: state(api, "ServiceMonitor") == "Skipped")
    change(api, image="shop/orders:2")
    await api.until(lambda: ready(api))


async def test_without_a_right_on_one_kind_only_services_that_need_it_are_stalled(
    api: FakeApi, start: Start
) -> None:
    verbs = ("get", "list", "watch", "create", "patch", "delete")
    api.denied |= {(verb, "horizontalpodautoscalers.autoscaling") for verb in verbs}
    make(api)
    make(api, "plain", PLAIN)
    await start()
    await api.until(lambda: condition(api, "Stalled") == ("True", "Forbidden"))
    await api.until(lambda: ready(api, "plain"))
    assert children(api) == SEVEN - {"HorizontalPodAutoscaler"}


async def test_a_right_that_is_taken_away_later_is_told(api: FakeApi, start: Start) -> None:
    make(api, spec=PLAIN)
    await start()
    await api.until(lambda: ready(api))
    api.denied.add(("patch", "deployments.apps"))
    change(api, image="shop/orders:2")
    await api.until(lambda: condition(api, "Stalled") == ("True", "Forbidden"))
    assert FULL["image"] == "shop/orders:1"


async def test_without_the_right_to_watch_crds_optional_kinds_still_work(
    api: FakeApi, start: Start
) -> None:
    api.denied.add(("watch", "customresourcedefinitions.apiextensions.k8s.io"))
    make(api)
    await start()
    await api.until(lambda: ready(api))
    assert children(api) == SEVEN


@pytest.mark.parametrize(
    ("verb", "resource"),
    [
        ("list", "microservices.microservice.dev"),
        ("patch", "microservices.microservice.dev/status"),
        ("patch", "leases.coordination.k8s.io"),
    ],
)
async def test_without_a_right_it_cannot_do_without_the_start_ends_with_one_sentence(
    api: FakeApi, start: Start, verb: str, resource: str
) -> None:
    api.denied.add((verb, resource))
    operator = await start()
    await operator.ended()
    assert isinstance(operator.failure, NotAllowed)
    assert f"may not {verb} {resource}:" in str(operator.failure)


async def test_an_operator_without_its_crd_waits_for_it(api: FakeApi, start: Start) -> None:
    api.uninstall(MICROSERVICE)
    operator = await start()
    await operator.until(lambda app: "CRD" in (app.waits_for or ""))
    api.install(MICROSERVICE)
    make(api, spec=PLAIN)
    await api.until(lambda: ready(api))


async def test_an_operator_that_loses_its_crd_ends_and_a_new_one_waits(
    api: FakeApi, start: Start
) -> None:
    make(api, spec=PLAIN)
    operator = await start()
    await api.until(lambda: ready(api))
    api.uninstall(MICROSERVICE)
    await operator.ended()
    assert isinstance(operator.failure, DefinitionGone)
    assert children(api) == set()
    await start()
    api.install(MICROSERVICE)
    make(api, spec=PLAIN)
    await api.until(lambda: ready(api))
