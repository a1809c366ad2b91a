"""What is unwise is told with its path and what to do, and never refused."""

from typing import Any

import pytest
from tests.scene import SETTINGS, service, world

from microservice_operator.addresses import addresses
from microservice_operator.api.platform import Platform, PodMetadata, Tracing
from microservice_operator.problems import problems

CLAIM = {"volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "orders"}}]}
RULE: list[Any] = [{"from": [{"podSelector": {}}]}]
UNMEASURED = {"resources": {"requests": {"memory": "1Gi"}}}
SCALED = {"autoscaling": {"maxReplicas": 3}}
TRACED: dict[str, Any] = {"observability": {"tracing": {}}}
TRACING = ".spec.observability.tracing"
OPEN = SETTINGS.model_copy(
    update={
        "pod_metadata": PodMetadata(allowed=("team", "example.com/")),
        "tracing": Tracing(endpoint="http://collector.observability:4318"),
    }
)
MEMORY = {"type": "Utilization", "averageUtilization": 50}


@pytest.mark.parametrize(
    ("spec", "path", "reason"),
    [
        (
            {"availability": {"maxUnavailable": 0}},
            ".spec.availability.maxUnavailable",
            "BlocksDrains",
        ),
        (
            {"availability": {"maxUnavailable": "0%"}},
            ".spec.availability.maxUnavailable",
            "BlocksDrains",
        ),
        (
            {"access": {"isolation": "None", "ingress": RULE}},
            ".spec.access.ingress",
            "RulesWithoutEffect",
        ),
        ({"access": {"egress": [{}]}}, ".spec.access.egress", "RulesWithoutEffect"),
        (SCALED | UNMEASURED, ".spec.autoscaling.metrics[0]", "NoRequest"),
        (CLAIM, ".spec.volumes[data]", "SharedClaim"),
        (
            {"routes": [{"name": "main", "parentRefs": [{"name": "other"}]}]},
            ".spec.routes[main].parentRefs",
            "GatewayNotAllowed",
        ),
        (
            {"podMetadata": {"labels": {"team": "checkout", "cost": "7"}}},
            ".spec.podMetadata.labels[cost]",
            "KeyNotAllowed",
        ),
        (
            {"podMetadata": {"annotations": {"app.kubernetes.io/name": "other"}}},
            ".spec.podMetadata.annotations[app.kubernetes.io/name]",
            "KeyNotAllowed",
        ),
        (TRACED | {"access": {"isolation": "Full"}}, TRACING, "TracingNotAllowed"),
    ],
)
def test_what_is_unwise_is_a_warning(spec: dict[str, Any], path: str, reason: str) -> None:
    of = service(spec)
    found = problems(of, world(of), OPEN)
    assert [(p["path"], p["severity"], p["reason"]) for p in found] == [(path, "Warning", reason)]
    assert found[0]["message"]
    assert found[0]["fix"]


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"replicas": 1, "availability": {"maxUnavailable": 0}},  # there is no budget to block
        {"access": {"ingress": RULE}},
        {"access": {"isolation": "Full", "egress": [{}]}},
        SCALED,
        SCALED | {"resources": {"limits": {"cpu": 1}}},  # a limit is a request too
        {"replicas": 1, **CLAIM},
        {"routes": [{"name": "main"}]},
        {"routes": [{"name": "main", "parentRefs": [{"name": "public", "namespace": "gateway"}]}]},
        {"routes": [{"name": "a", "parentRefs": [{"name": "x"}]}], "access": {"isolation": "None"}},
        {"podMetadata": {"labels": {"team": "checkout"}, "annotations": {"example.com/a": "b"}}},
        TRACED,
    ],
)
def test_what_is_fine_is_not_mentioned(spec: dict[str, Any]) -> None:
    of = service(spec)
    facts: Any = {}
    found = problems(of, world(of, facts=facts), OPEN)
    assert [p for p in found if p["severity"] == "Warning"] == []


def test_traces_without_an_endpoint_are_told_of() -> None:
    of = service(TRACED)
    (problem,) = problems(of, world(of), SETTINGS)
    assert (problem["path"], problem["reason"]) == (TRACING, "NoTracingEndpoint")


@pytest.mark.parametrize("isolation", ["Ingress", "Full"])
def test_traces_to_pods_that_the_settings_name_are_fine(isolation: str) -> None:
    where = Tracing(endpoint="http://collector.observability:4318", namespace="observability")
    platform = SETTINGS.model_copy(update={"tracing": where})
    of = service(TRACED | {"access": {"isolation": isolation}})
    assert problems(of, world(of, platform=platform), platform) == []


def test_a_route_without_any_gateway_is_an_error() -> None:
    of = service({"routes": [{"name": "main"}]})
    (problem,) = problems(of, world(of, platform=Platform()), Platform())
    assert (problem["severity"], problem["reason"]) == ("Error", "NotAccepted")
    assert "neither parentRefs nor settings" in problem["message"]


def test_problems_are_bounded() -> None:
    routes = [{"name": f"r{i}", "parentRefs": [{"name": "x"}, {"name": "y"}]} for i in range(8)]
    of = service({"routes": routes, "availability": {"maxUnavailable": 0}})
    assert len(problems(of, world(of), SETTINGS)) == 16


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, ["http://orders.shop.svc.cluster.local:8080"]),
        ({"ports": []}, []),
        (
            {"ports": [{"name": "g", "port": 9, "appProtocol": "grpc"}, {"name": "x", "port": 1}]},
            ["grpc://orders.shop.svc.cluster.local:9"],
        ),
        (
            {"ports": [{"name": "dns", "port": 53, "protocol": "UDP"}]},
            ["udp://orders.shop.svc.cluster.local:53"],
        ),
        (
            {
                "routes": [
                    {
                        "name": "main",
                        "hostnames": ["shop.example.com"],
                        "matches": [{"path": {"value": "/a"}}, {"method": "GET"}],
                    },
                    {"name": "other", "matches": [{"path": {"value": "/b"}}]},
                    {"name": "foreign", "parentRefs": [{"name": "x"}]},
                ]
            },
            [
                "http://orders.shop.svc.cluster.local:8080",
                "https://shop.example.com/a",
                "https://shop.example.com/",
                "http://127.0.0.1:8080/b",
            ],
        ),
    ],
)
def test_addresses_can_be_clicked(spec: dict[str, Any], expected: list[str]) -> None:
    assert [found["url"] for found in addresses(service(spec), SETTINGS)] == expected
