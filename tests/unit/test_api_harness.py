"""The pure parts of the API tests' harness: which faults act, which requests break a law."""

from typing import Any

import pytest
from tests.api.invariants import Invariants
from tests.api.rights import CLUSTER_RULES, LEASE_RULES
from tests.api.rules import (
    Answer,
    Delay,
    DropEvent,
    Expire,
    Freeze,
    KillAfter,
    Mix,
    Rule,
    Rules,
    dump,
    load,
    mix,
)
from tests.api.seen import APPLY, Seen

WEB = "/apis/apps/v1/namespaces/shop/deployments/web"
STATUS = "/apis/microservice.dev/v1alpha1/namespaces/shop/microservices/web/status"
SERVICES = "/apis/microservice.dev/v1alpha1/microservices"
LEASE = "/apis/coordination.k8s.io/v1/namespaces/home/leases/microservice-operator"
REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


def seen(method: str = "PATCH", path: str = WEB, body: Any = None, **more: Any) -> Seen:
    return Seen(0, "operator", method, path, body=body, **more)


def applied(metadata: dict[str, Any], manager: str = "microservice-operator", **spec: Any) -> Seen:
    body = {"metadata": metadata, "spec": spec}
    return seen(body=body, content=APPLY, query={"fieldManager": manager, "force": "true"})


def watch(path: str = "/apis/apps/v1/deployments") -> Seen:
    return seen("GET", path, query={"watch": "true"})


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (seen(), "patch deployments.apps web"),
        (seen(path=STATUS), "patch microservices.microservice.dev/status web"),
        (seen("GET", SERVICES), "list microservices.microservice.dev"),
        (seen("GET", "/api/v1/pods", query={"watch": "1"}), "watch pods"),
        (seen("GET", "/api/v1/namespaces/shop"), "get namespaces shop"),
        (seen("GET", "/api/v1/namespaces/shop/services"), "list services"),
        (seen("POST", "/api/v1/namespaces/shop/events", {"reason": "X"}), "create events X"),
    ],
)
def test_a_request_is_understood_in_the_words_of_rbac(request_: Seen, words: str) -> None:
    assert request_.what == words


def test_lease_and_reviews_are_no_writes_on_objects_of_others() -> None:
    assert not seen(path=LEASE).mutating
    assert not seen("POST", REVIEWS).mutating
    assert seen(path=STATUS).mutating


def test_a_rule_acts_on_the_nth_request_it_is_about() -> None:
    rules = Rules([Rule(KillAfter(), method="WRITE", nth=2)])
    acts = [rules.for_request(s) for s in (seen(), seen(path=LEASE), seen(path=STATUS), seen())]
    assert acts == [None, None, KillAfter(), None]
    assert rules.acted() == 1


def test_a_rule_acts_as_often_as_it_says_and_the_next_one_then() -> None:
    rules = Rules([Rule(Answer(500), path="deployments", times=2), Rule(Delay(1))])
    acts = [rules.for_request(seen()) for _ in range(3)]
    assert acts == [Answer(500), Answer(500), Delay(1)]


def test_rules_about_watches_requests_and_events_do_not_mix() -> None:
    rules = Rules(
        [
            Rule(Freeze(), path="deployments"),
            Rule(Answer(401), method="WATCH"),
            Rule(DropEvent(), event="MODIFIED", path="deployments/web$", times=1),
        ]
    )
    assert rules.for_open_watch(watch()) == Freeze()
    assert rules.for_open_watch(watch(SERVICES)) is None
    assert rules.for_request(watch()) == Answer(401)
    assert rules.for_request(seen("GET", "/apis/apps/v1/deployments")) is None
    assert rules.for_event(watch(), "ADDED", WEB) is None
    assert rules.for_event(watch(), "MODIFIED", WEB) == DropEvent()
    assert rules.for_event(watch(), "MODIFIED", WEB) is None


def test_a_rule_may_be_about_one_process() -> None:
    rules = Rules([Rule(Answer(500), who="standby")])
    assert rules.for_request(seen()) is None


def test_a_mix_is_the_same_with_the_same_seed_and_hits_about_its_share() -> None:
    def drawn(seed: int) -> list[Any]:
        rules = Rules([mix(seed)])
        return [rules.for_request(seen()) for _ in range(400)]

    assert drawn(1) == drawn(1) != drawn(2)
    assert 80 <= sum(action is not None for action in drawn(1)) <= 160


def test_rules_survive_a_file() -> None:
    rules = [
        mix(7, path="services", method="PATCH"),
        Rule(Answer(429, "Slow", headers={"Retry-After": "2"}), times=3),
        Rule(Expire(410), path="deployments"),
        Rule(DropEvent(), event="*", nth=2, who="standby"),
    ]
    assert load(dump(rules)) == rules
    assert Mix(7, 0.3, (500, 503, 504)) == load(dump(rules))[0].action


@pytest.fixture
def laws() -> Invariants:
    laws = Invariants([*CLUSTER_RULES, *LEASE_RULES])
    service = {"metadata": {"uid": "cr-1"}}
    owner = {"uid": "cr-1", "controller": True}
    laws.learn("microservices.microservice.dev", {"items": [service]})
    laws.learn("deployments.apps", {"metadata": {"uid": "d-1", "ownerReferences": [owner]}})
    laws.learn("deployments.apps", {"metadata": {"uid": "d-2"}})
    return laws


def deletes(uid: str | None) -> Seen:
    return seen("DELETE", body={"preconditions": {"uid": uid} if uid else {}})


GOOD = [
    seen(path=STATUS, body={"metadata": {"resourceVersion": "7"}, "status": {}}),
    applied({"resourceVersion": "1"}),
    applied({"uid": "d-1"}),
    applied({"uid": "d-1", "resourceVersion": "9"}, replicas=3),
    deletes("d-1"),
    seen("POST", REVIEWS, {}),
    seen(path=LEASE, body={}),
    seen("GET", "/apis/apps/v1"),
    watch(),
]
BAD = [
    ("I1", seen(path=STATUS.removesuffix("/status"), body={"metadata": {}, "spec": {}})),
    ("I1", seen(path=STATUS, body={"metadata": {"labels": {}}, "status": {}})),
    ("I2", applied({})),
    ("I2", applied({"uid": "d-1", "resourceVersion": "1"})),
    ("I2", applied({"uid": "d-1", "resourceVersion": "9"})),
    ("I2", applied({"uid": "d-1"}, manager="kubectl")),
    ("I2", seen(body={"metadata": {"uid": "d-1"}}, content="application/merge-patch+json")),
    ("I3", deletes(None)),
    ("I3", deletes("d-2")),
    ("I3", deletes("unheard-of")),
    ("I4", seen("GET", "/api/v1/namespaces/shop/secrets")),
    ("I4", seen("GET", "/api/v1/pods", query={"watch": "true"})),
    ("I4", seen("GET", "/apis/coordination.k8s.io/v1/namespaces/home/leases/other")),
    ("I5", seen("POST", "/api/v1/namespaces/shop/events", {"reason": "X", "message": "hush"})),
]


@pytest.mark.parametrize("request_", GOOD, ids=lambda s: s.what or s.path)
def test_a_lawful_request_is_let_pass(laws: Invariants, request_: Seen) -> None:
    laws.canaries.add("hush")
    laws.check(request_)
    assert laws.violations == []


@pytest.mark.parametrize(("law", "request_"), BAD)
def test_a_broken_law_is_told(laws: Invariants, law: str, request_: Seen) -> None:
    laws.canaries.add("hush")
    laws.check(request_)
    assert [said[:2] for said in laws.violations if said.startswith(law)] == [law]
