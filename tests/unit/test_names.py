"""Names, labels and selectors: fixed for ever, since selectors of a Deployment cannot change."""

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tests.scene import NOW, service

from microservice_operator import names
from microservice_operator.desired.pod import revision

LABELS = {
    "app.kubernetes.io/name": "orders",
    "app.kubernetes.io/managed-by": "microservice-operator",
    "microservice.dev/name": "orders",
}


def test_labels_and_selectors_are_as_in_the_first_release() -> None:
    of = service()
    assert names.labels(of) == LABELS
    assert names.pod_labels(of, "abcd2345") == {
        **LABELS,
        "microservice.dev/track": "stable",
        "microservice.dev/role": "server",
        "microservice.dev/revision": "abcd2345",
    }
    assert names.deployment_pods(of) == {
        "microservice.dev/name": "orders",
        "microservice.dev/track": "stable",
    }
    assert names.service_pods(of) == {
        "microservice.dev/name": "orders",
        "microservice.dev/role": "server",
        "microservice.dev/track": "stable",
    }
    assert names.server_pods(of) == {
        "microservice.dev/name": "orders",
        "microservice.dev/role": "server",
    }
    assert names.all_pods(of) == {"microservice.dev/name": "orders"}
    assert names.MANAGER == "microservice-operator"


def test_selectors_fit_the_pods_they_are_meant_for() -> None:
    of = service()
    stamped = names.pod_labels(of, "x").items()
    for selector in (names.deployment_pods, names.service_pods, names.server_pods, names.all_pods):
        assert selector(of).items() <= stamped


def test_the_hash_is_as_in_the_first_release() -> None:
    assert names.h8({"b": [1, 2], "a": "x"}) == names.h8({"a": "x", "b": [1, 2]}) == "qth6mb7k"
    assert revision(service({"replicas": 1})) == "hd66gu7u"


@given(st.recursive(st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=4), st.lists))
def test_the_hash_is_a_label_value(value: object) -> None:
    assert len(names.h8(value)) == 8
    assert set(names.h8(value)) <= set("abcdefghijklmnopqrstuvwxyz234567")


SERVICE = service()
NAME = st.from_regex(r"[a-z]([-a-z0-9]{0,44}[a-z0-9])?", fullmatch=True)
ENTRY = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,10}[a-z0-9])?", fullmatch=True)


@given(st.lists(st.tuples(NAME, ENTRY), unique=True, max_size=6))
def test_routes_of_different_services_never_share_a_name(pairs: list[tuple[str, str]]) -> None:
    made = [names.route(replace(SERVICE, name=name), entry) for name, entry in pairs]
    assert len(set(made)) == len(made)


def test_only_the_controlling_owner_counts() -> None:
    other = {"uid": "a", "controller": False}
    assert names.controller({"ownerReferences": [other, {"uid": "b", "controller": True}]}) == "b"
    assert names.controller({"ownerReferences": [other]}) is None
    assert names.controller({}) is None


def test_events_of_one_hour_share_a_name() -> None:
    of = service()
    name = names.event(of, "NotOwned", "x", NOW)
    assert name == names.event(of, "NotOwned", "x", NOW.replace(":00:00", ":59:59"))
    assert name != names.event(of, "NotOwned", "x", "2026-01-01T13:00:00Z")
    assert name.startswith("orders.")


def test_a_revision_is_what_reaches_the_pods_and_nothing_else() -> None:
    base = revision(service())
    for outside in (
        {"replicas": 5},
        {"suspend": True},
        {"routes": [{"name": "main"}]},
        {"access": {"isolation": "Full"}},
        {"availability": {"maxUnavailable": 2}},
        {"rollout": {"strategy": "Recreate"}},
        {"observability": {"metrics": {"port": "http"}}},
        {"ports": [{"name": "http", "port": 80, "targetPort": 8080}]},
    ):
        assert revision(service(outside)) == base, outside
    reaching: list[dict[str, Any]] = [
        {"image": "shop/orders:2"},
        {"env": [{"name": "A"}]},
        {"ports": [{"name": "http", "port": 8081}]},
        {"nodeSelector": {"a": "b"}},
        {"resources": {"requests": {"cpu": 1}}},
        {"lifecycle": {}},
        {"podMetadata": {"labels": {"team": "checkout"}}},
        {"observability": {"tracing": {}}},
        {"observability": {"tracing": {"samplingRatio": "0.5"}}},
    ]
    for inside in reaching:
        assert revision(service(inside)) != base, inside


def test_a_default_written_out_is_no_new_revision() -> None:
    written = {
        "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}],
        "terminationGracePeriodSeconds": 30,
        "securityContext": {"readOnlyRootFilesystem": True},
        "probes": {},
        "env": [],
    }
    assert revision(service(written)) == revision(service())
    cores = [revision(service({"resources": {"limits": {"cpu": c}}})) for c in ("1000m", 1, "1")]
    assert len(set(cores)) == 1
