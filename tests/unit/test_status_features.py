"""What a user reads about routes, monitoring and the autoscaler, where the spec asks for them."""

from typing import Any

import pytest
from tests.scene import accepted, headline, ready_before, reasons, report, service, world

from microservice_operator.desired.autoscaler import Scaling
from microservice_operator.observed import Ref

ROUTED = {"routes": [{"name": "main"}]}
SCALED = {"autoscaling": {"minReplicas": 2, "maxReplicas": 4}}
MEASURED = {"observability": {"metrics": {"port": "http"}}}
ROUTE = Ref("HTTPRoute", "orders")
HPA = Ref("HorizontalPodAutoscaler", "orders")


@pytest.mark.parametrize(
    ("verdict", "routes", "ready"),
    [
        ({"ok": False, "pending": True}, "False/Pending", "False/Progressing"),
        (
            {"ok": False, "pending": False, "reason": "NotAllowedByListeners", "message": "no"},
            "False/NotAccepted",
            "False/RoutesNotReady",
        ),
        (
            {"ok": False, "pending": False, "reason": "RefNotPermitted"},
            "False/RefNotPermitted",
            "False/RoutesNotReady",
        ),
    ],
)
def test_a_route_that_no_gateway_takes_is_not_ready(
    verdict: dict[str, Any], routes: str, ready: str
) -> None:
    of = service(ROUTED)
    told = report(of, world(of, facts={ROUTE: accepted(**verdict)}))
    assert reasons(told.status)["RoutesReady"] == routes
    assert headline(told)["Ready"] == ready
    assert "Stalled" not in headline(told)


def test_a_refused_route_is_a_problem_and_an_event() -> None:
    of = ready_before(ROUTED)
    verdict = accepted(ok=False, pending=False, reason="NotAllowedByListeners", message="no")
    told = report(of, world(of, facts={ROUTE: verdict}))
    (problem,) = told.status["problems"]
    assert problem["path"] == ".spec.routes[main]"
    assert problem["severity"] == "Error"
    assert [event.reason for event in told.events] == ["RouteRejected"]


def test_a_route_without_the_gateway_api_is_skipped_and_not_ready() -> None:
    of = service(ROUTED)
    told = report(of, world(of, served=frozenset()))
    assert reasons(told.status)["RoutesReady"] == "False/CRDNotInstalled"
    assert headline(told)["Ready"] == "False/RoutesNotReady"
    assert {
        "kind": "HTTPRoute",
        "name": "orders",
        "state": "Skipped",
        "reason": "CRDNotInstalled",
    } in (told.status["resources"])


def test_monitoring_without_its_crd_is_skipped_and_ready() -> None:
    of = service(MEASURED)
    told = report(of, world(of, served=frozenset()))
    assert reasons(told.status)["MonitoringReady"] == "False/CRDNotInstalled"
    assert headline(told)["Ready"] == "True/Ready"


def test_an_autoscaler_without_metrics_is_told_and_does_not_lower_ready() -> None:
    of = service(SCALED)
    blind = Scaling(active=False, reason="FailedGetResourceMetric", message="no metrics")
    told = report(of, world(of, facts={HPA: blind}))
    assert reasons(told.status)["AutoscalerReady"] == "False/MetricsUnavailable"
    assert headline(told)["Ready"] == "True/Ready"


@pytest.mark.parametrize(
    ("reason", "message", "told"),
    [
        ("NoMatchingListenerHostname", "", "none of its listeners has one of the hostnames"),
        ("NoMatchingParent", "no such section", "no such section"),
    ],
)
def test_a_refused_route_is_told_in_words_even_if_the_gateway_gives_only_a_reason(
    reason: str, message: str, told: str
) -> None:
    of = service(ROUTED)
    refused = accepted(ok=False, pending=False, reason=reason, message=message)
    conditions = report(of, world(of, facts={ROUTE: refused})).status["conditions"]
    routes = next(c for c in conditions if c["type"] == "RoutesReady")
    assert routes["message"] == f"Gateway gateway/public refuses route main: {told} ({reason})"
