"""What a user reads in each state of the world, and how soon."""

from typing import Any

import pytest
from tests.kstatus import kstatus
from tests.scene import (
    BEFORE,
    COMPLETE,
    DEPLOYMENT,
    EXPIRED,
    NOW,
    SETTINGS,
    STEPPING,
    headline,
    pods,
    ready_before,
    reasons,
    report,
    service,
    world,
)

from microservice_operator.api.service import Identity
from microservice_operator.desired.deployment import Condition
from microservice_operator.desired.pod import revision
from microservice_operator.errors import ApiError, InvalidSpec
from microservice_operator.observed import Failed, NotOwned, Outcome, PodFacts, Ref
from microservice_operator.status import Urgency, bug, invalid, status, urgency

ROUTED = {"routes": [{"name": "main"}]}
SCALED = {"autoscaling": {"minReplicas": 2, "maxReplicas": 4}}
MEASURED = {"observability": {"metrics": {"port": "http"}}}
ROUTE = Ref("HTTPRoute", "orders")
HPA = Ref("HorizontalPodAutoscaler", "orders")


def failed(code: int, message: str = "", reason: str = "", ref: Ref = DEPLOYMENT) -> Outcome:
    error = ApiError(code, reason, message)
    return Outcome(failures=(Failed(ref, "patch", "deployments.apps", error),))


def test_a_service_in_effect_is_ready() -> None:
    of = service(ROUTED | SCALED | MEASURED)
    told = report(of, world(of))
    assert reasons(told.status) == {
        "Ready": "True/Ready",
        "Available": "True/ReplicasAvailable",
        "RoutesReady": "True/Accepted",
        "AutoscalerReady": "True/ScalingActive",
        "MonitoringReady": "True/Applied",
    }
    assert told.status["observedGeneration"] == 1
    assert told.status["pods"] == "2/2"
    assert told.status["addresses"] == [
        {"type": "Internal", "url": "http://orders.shop.svc.cluster.local:8080"},
        {"type": "External", "url": "http://127.0.0.1:8080/"},
    ]
    assert {r["state"] for r in told.status["resources"]} == {"Applied"}
    assert told.again is None
    assert told.events == ()


def test_conditions_of_features_the_spec_does_not_use_are_absent() -> None:
    of = service()
    assert set(reasons(report(of, world(of)).status)) == {"Ready", "Available"}


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (pods(0, progressing=None, observed=0), "Progressing"),  # the controller has not acted
        (pods(0, progressing=STEPPING), "Progressing"),
        (pods(1, progressing=STEPPING), "Progressing"),
        (pods(2, total=3), "Progressing"),  # an old pod is still there
        (pods(2, progressing=STEPPING), "Progressing"),  # minReadySeconds not over
        (pods(1), "Progressing"),  # complete before, but this generation never was
    ],
)
def test_a_rollout_is_reconciling_until_every_pod_is_available(facts: Any, expected: str) -> None:
    of = service(generation=2)
    told = report(of, world(of, facts))
    assert headline(told) == {"Ready": f"False/{expected}", "Reconciling": f"True/{expected}"}


@pytest.mark.parametrize(
    ("facts", "ready", "available"),
    [
        (pods(2, total=3, updated=1), "0 of 2", "2 of 2 pods available, 2 of an older revision"),
        (pods(3, total=4, updated=2), "1 of 2", "2 of 2 pods available, 2 of an older revision"),
        (pods(1, progressing=STEPPING), "1 of 2", "1 of 2 pods available"),
    ],
)
def test_pods_of_an_older_revision_are_not_counted_as_new_ones(
    facts: Any, ready: str, available: str
) -> None:
    of = service(generation=2)
    told = {c["type"]: c["message"] for c in report(of, world(of, facts)).status["conditions"]}
    assert told["Ready"] == f"{ready} pods of this revision available"
    assert told["Available"] == available


def test_pods_within_availability_may_be_away() -> None:
    of = ready_before()
    assert headline(report(of, world(of, pods(1)))) == {"Ready": "True/Ready"}


def test_more_than_availability_allows_is_not_ready() -> None:
    of = ready_before({"replicas": 4, "availability": {"maxUnavailable": "25%"}})
    assert headline(report(of, world(of, pods(3, 4)))) == {"Ready": "True/Ready"}
    assert headline(report(of, world(of, pods(2, 4)))) == {"Ready": "False/ReplicasUnavailable"}
    assert headline(report(of, world(of, pods(0, 4)))) == {"Ready": "False/NoReplicaAvailable"}


def test_a_single_replica_is_not_ready_while_its_only_pod_is_away() -> None:
    of = ready_before({"replicas": 1})
    assert headline(report(of, world(of, pods(0, 1)))) == {"Ready": "False/NoReplicaAvailable"}


def test_a_lost_pod_is_looked_into_after_ten_seconds() -> None:
    of = ready_before()
    lost = report(of, world(of, pods(0)))
    assert lost.again == 15
    again = service(known=lost.status)
    assert report(again, world(again, pods(0))).again == 10


def test_a_deadline_without_known_cause_is_stalled() -> None:
    of = service()
    told = report(of, world(of, pods(0, progressing=EXPIRED)))
    reason = "ProgressDeadlineExceeded"
    assert headline(told) == {"Ready": f"False/{reason}", "Stalled": f"True/{reason}"}
    assert [event.reason for event in told.events] == ["RolloutFailed"]


def test_suspended_is_ready_without_pods() -> None:
    of = service({"suspend": True})
    gone = pods(0, 0, total=0, updated=0)
    told = report(of, world(of, gone))
    assert reasons(told.status) == {"Ready": "True/Suspended", "Available": "False/Suspended"}
    leaving = report(of, world(of, pods(1, 0, total=1, updated=0)))
    assert headline(leaving)["Ready"] == "False/Progressing"


def test_zero_replicas_are_ready() -> None:
    of = service({"replicas": 0})
    told = report(of, world(of, pods(0, 0, total=0, updated=0)))
    assert reasons(told.status) == {"Ready": "True/Ready", "Available": "True/ScaledToZero"}


def test_a_foreign_object_stalls_and_is_named() -> None:
    of = service()
    outcome = Outcome(not_owned=(NotOwned(Ref("Service", "orders"), "Helm release old"),))
    told = report(of, world(of, without=frozenset({Ref("Service", "orders")})), outcome)
    assert headline(told) == {"Ready": "False/NotOwned", "Stalled": "True/NotOwned"}
    assert (
        "Service orders exists already and belongs to Helm release old"
        in told.status["conditions"][0]["message"]
    )
    assert {"kind": "Service", "name": "orders", "state": "NotOwned", "reason": "NotOwned"} in (
        told.status["resources"]
    )
    assert told.again == 300
    assert [(event.type, event.reason) for event in told.events] == [("Warning", "NotOwned")]


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [
        (failed(500, "failed to create typed patch object: x"), "InternalError"),
        (failed(403, 'User "x" cannot patch resource "deployments"'), "Forbidden"),
        (failed(403, "is forbidden: exceeded quota: q, requested: x"), "QuotaExceeded"),
        (failed(403, "admission webhook denied the request: no"), "AdmissionDenied"),
        (failed(422, "ValidatingAdmissionPolicy p denied request: no"), "AdmissionDenied"),
        (failed(400, "webhook said: no"), "AdmissionDenied"),
    ],
)
def test_a_final_refusal_stalls_at_once(outcome: Outcome, reason: str) -> None:
    of = service()
    told = report(of, world(of), outcome)
    assert headline(told) == {"Ready": f"False/{reason}", "Stalled": f"True/{reason}"}
    assert told.again is not None
    states = {r["kind"]: r for r in told.status["resources"]}
    assert states["Deployment"] == {
        "kind": "Deployment",
        "name": "orders",
        "state": "Failed",
        "reason": reason,
    }


def test_a_missing_permission_names_verbs_and_resource() -> None:
    of = service()
    told = report(of, world(of, forbidden={"NetworkPolicy": "create, patch"}))
    assert headline(told) == {"Ready": "False/Forbidden", "Stalled": "True/Forbidden"}
    message = told.status["conditions"][0]["message"]
    assert message == "the operator may not create, patch networkpolicies.networking.k8s.io"


def test_a_permission_nobody_needs_is_not_missed() -> None:
    of = service()
    told = report(of, world(of, forbidden={"HTTPRoute": "create", "Service": "delete"}))
    assert headline(told) == {"Ready": "True/Ready"}


@pytest.mark.parametrize("code", [0, 409, 429, 500, 503])
def test_a_short_fault_of_the_api_server_changes_nothing(code: int) -> None:
    of = ready_before()
    seen = world(of, failing_since="2026-01-01T11:59:51Z")
    told = report(of, seen, failed(code))
    assert told.status == of.known_status
    assert urgency(of.known_status, told.status) is Urgency.NONE


def test_a_long_fault_is_told_and_ready_is_kept() -> None:
    of = ready_before()
    seen = world(of, failing_since="2026-01-01T11:59:50Z")
    told = report(of, seen, failed(503, "etcd is away"))
    assert headline(told) == {"Ready": "True/Ready", "Reconciling": "True/RetryingApply"}
    assert "etcd is away" in told.status["conditions"][1]["message"]


def test_a_long_fault_at_a_new_generation_is_not_ready() -> None:
    old = ready_before()
    of = service(generation=2, known=old.known_status)
    told = report(of, world(of, failing_since=BEFORE), failed(0, "no connection"))
    assert headline(told) == {"Ready": "False/RetryingApply", "Reconciling": "True/RetryingApply"}


def test_a_bug_keeps_ready_and_is_told() -> None:
    of = ready_before()
    told = bug(of, NOW)
    assert headline(told) == {"Ready": "True/Ready", "Reconciling": "True/InternalError"}
    edited = service(generation=2, known=of.known_status)
    assert headline(bug(edited, NOW))["Ready"] == "False/InternalError"
    assert headline(bug(service(), NOW))["Ready"] == "False/InternalError"


def test_an_invalid_spec_is_stalled_with_path_and_fix() -> None:
    of = ready_before()
    identity = Identity.of(
        {
            "metadata": {
                "name": "orders",
                "namespace": "shop",
                "uid": "uid-orders",
                "resourceVersion": "8",
                "generation": 2,
            },
            "status": of.known_status,
        }
    )
    told = invalid(identity, InvalidSpec(".spec.replicas", "remove it"), NOW)
    assert headline(told) == {"Ready": "False/InvalidSpec", "Stalled": "True/InvalidSpec"}
    assert told.status["conditions"][0]["message"] == ".spec.replicas: remove it"
    assert told.status["observedGeneration"] == 2
    assert reasons(told.status)["Available"] == "True/ReplicasAvailable", "pods still serve"
    assert [event.reason for event in told.events] == ["InvalidSpec"]


def test_quota_that_refuses_pods_is_told_before_the_deadline() -> None:
    of = service()
    refused = Condition(
        "True", "FailedCreate", 'pods "orders-5d9c-x2" is forbidden: exceeded quota: q'
    )
    told = report(of, world(of, pods(0, progressing=STEPPING, failure=refused)))
    assert headline(told) == {"Ready": "False/QuotaExceeded", "Reconciling": "True/QuotaExceeded"}
    assert told.status["lastFailure"]["message"] == "exceeded quota: q", "no random pod name"


def test_a_policy_that_refuses_pods_is_stalled() -> None:
    of = service()
    refused = Condition("True", "FailedCreate", 'pods "x" is forbidden: violates PodSecurity')
    told = report(of, world(of, pods(0, progressing=STEPPING, failure=refused)))
    assert headline(told) == {"Ready": "False/AdmissionDenied", "Stalled": "True/AdmissionDenied"}


def test_last_transition_time_moves_only_with_the_status() -> None:
    of = ready_before()
    worse = report(of, world(of, pods(1))).status
    times = {c["type"]: c["lastTransitionTime"] for c in worse["conditions"]}
    assert times == {"Ready": BEFORE, "Available": BEFORE}
    worst = report(of, world(of, pods(0))).status
    assert {c["lastTransitionTime"] for c in worst["conditions"]} == {NOW}


def test_the_same_world_gives_the_same_status() -> None:
    of = ready_before(ROUTED | SCALED | MEASURED)
    assert report(of, world(of)).status == of.known_status


def test_recovery_is_an_event_and_clears_the_failure() -> None:
    of = service()
    refused = Condition("True", "FailedCreate", "exceeded quota: q")
    bad = report(of, world(of, pods(0, progressing=EXPIRED, failure=refused))).status
    assert bad["lastFailure"]["time"] == NOW
    again = service(known=bad)
    good = report(again, world(again, pods(2, progressing=COMPLETE)))
    assert "lastFailure" not in good.status
    assert [(event.type, event.reason) for event in good.events] == [("Normal", "Recovered")]


def test_an_event_is_told_once_for_each_reason_and_revision() -> None:
    of = service()
    outcome = Outcome(not_owned=(NotOwned(DEPLOYMENT, "somebody"),))
    told = report(of, world(of), outcome)
    again = service(known=told.status)
    assert report(again, world(again), outcome).events == ()
    (event,) = told.events
    assert report(of, world(of), outcome).events == (event,), "the same name: the server knows it"


def told_with(ready: str, other: str = "", failure: str = "", message: str = "") -> dict[str, Any]:
    conditions = [("Ready", ready), *([("Reconciling", other)] if other else [])]
    new: dict[str, Any] = {
        "conditions": [
            {"type": kind, "status": "x", "reason": reason, "message": message}
            for kind, reason in conditions
        ]
    }
    return new | ({"lastFailure": {"reason": failure, "time": "t"}} if failure else {})


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (told_with("Ready"), told_with("Ready"), Urgency.NONE),
        ({"observedGeneration": -1}, told_with("Progressing", "Progressing"), Urgency.SOON),
        (told_with("Ready"), told_with("Progressing", "Progressing"), Urgency.SOON),
        (told_with("Progressing", "Progressing"), told_with("Ready"), Urgency.NOW),
        (told_with("Ready"), told_with("NoReplicaAvailable"), Urgency.NOW),
        (
            told_with("Progressing", "Progressing"),
            told_with("Progressing", "Progressing", message="1 of 2"),
            Urgency.LATER,
        ),
        (
            told_with("Progressing", "Progressing"),
            told_with("ImagePullFailed", "ImagePullFailed", "ImagePullFailed"),
            Urgency.NOW,
        ),
        (
            told_with("CrashLoopBackOff", "CrashLoopBackOff", "A"),
            told_with("CrashLoopBackOff", "CrashLoopBackOff", "B"),
            Urgency.NOW,
        ),
        (told_with("Ready"), told_with("Ready", "RetryingApply"), Urgency.NOW),
    ],
)
def test_only_progress_waits(old: Any, new: Any, expected: Urgency) -> None:
    assert urgency(old, new) is expected


def test_never_both_reconciling_and_stalled_and_never_current_too_early() -> None:
    for available in range(3):
        for progressing in (None, STEPPING, COMPLETE, EXPIRED):
            for observed in (0, 1):
                of = service(generation=2)
                facts = pods(available, progressing=progressing, observed=observed)
                told = status(of, world(of, facts), Outcome(), SETTINGS).status
                assert not {"Reconciling", "Stalled"} <= set(reasons(told))
                current = kstatus({"metadata": {"generation": 2}, "status": told}) == "Current"
                assert current == (available == 2 and progressing == COMPLETE and observed == 1)


def test_pods_are_none_of_the_status_of_a_deployment_that_is_not_there() -> None:
    of = service()
    told = report(of, world(of, without=frozenset({DEPLOYMENT})))
    assert "pods" not in told.status
    assert reasons(told.status)["Available"] == "False/NotStarted"
    assert headline(told)["Ready"] == "False/Progressing"


def test_what_was_found_holds_while_nobody_looks() -> None:
    of = service()
    sick = PodFacts("orders-1", "Pending", False, "0/1 nodes: too small", False, (), revision(of))
    found = report(of, world(of, pods(0, progressing=STEPPING), pods=(sick,))).status
    again = service(known=found)
    later = report(again, world(again, pods(0, progressing=STEPPING))).status
    assert reasons(later)["Ready"] == "False/Unschedulable"
    assert later["lastFailure"] == found["lastFailure"]


@pytest.mark.parametrize("spec", [{"suspend": True}, {"replicas": 1}])
def test_a_service_that_shrinks_is_in_effect_once_the_surplus_is_gone(spec: dict[str, Any]) -> None:
    before = ready_before({"replicas": 3})
    wanted = 0 if "suspend" in spec else 1
    of = service({"replicas": 3} | spec, generation=2, known=before.known_status)
    shrinking = pods(available=3, wanted=wanted, total=3, updated=3)
    told = headline(report(of, world(of, shrinking)))
    assert told["Ready"] == "False/Progressing"
    done = pods(available=wanted, wanted=wanted)
    assert headline(report(of, world(of, done)))["Ready"].startswith("True/")


def test_pods_that_an_autoscaler_takes_away_change_nothing() -> None:
    of = ready_before({"replicas": 2})
    shrinking = pods(available=3, wanted=2, total=3, updated=3)
    assert headline(report(of, world(of, shrinking))) == {"Ready": "True/Ready"}
