"""Pods as the API server shows them -> why they do not run."""

from typing import Any

import pytest
from tests.scene import COMPLETE, EXPIRED, NOW, STEPPING, pods, report, service, world

from microservice_operator.desired.deployment import Condition
from microservice_operator.desired.pod import revision
from microservice_operator.diagnosis import Cause, cause, pod, wants_pods

REVISION = "abc"
NOWHERE = "0/1 nodes are available: 1 Insufficient cpu"
PREEMPTED = "no new claims to deallocate, preemption: 0/1 nodes are available: 1 No victims found."


def raw(
    *containers: dict[str, Any],
    init: tuple[dict[str, Any], ...] = (),
    scheduled: str = "True",
    ready: str = "False",
    name: str = "orders-1",
    revision: str = REVISION,
) -> dict[str, Any]:
    unscheduled = {"message": f"{NOWHERE}. {PREEMPTED}"} if scheduled == "False" else {}
    return {
        "metadata": {"name": name, "labels": {"microservice.dev/revision": revision}},
        "status": {
            "phase": "Pending",
            "conditions": [
                {"type": "PodScheduled", "status": scheduled, **unscheduled},
                {"type": "Ready", "status": ready},
            ],
            "initContainerStatuses": list(init),
            "containerStatuses": list(containers),
        },
    }


def container(name: str = "orders", **state: Any) -> dict[str, Any]:
    last = state.pop("last", None)
    restarts = state.pop("restarts", 0)
    body = {"name": name, "image": "shop/orders:1", "ready": False, "restartCount": restarts}
    return body | {"state": state, "lastState": {"terminated": last} if last else {}}


def waiting(reason: str, message: str = "", **more: Any) -> dict[str, Any]:
    return container(waiting={"reason": reason, "message": message}, **more)


CRASH = {"exitCode": 1, "reason": "Error", "message": "Traceback:\n  x\nKeyError: 'DB_HOST'\n"}
WHY = 'Head "https://x.example/v2/1": dial tcp: lookup x.example: no such host'
PULL = (
    'failed to pull and unpack image "x": failed to resolve reference "x": '
    f"failed to do request: {WHY}"
)


@pytest.mark.parametrize(
    ("seen", "reason", "message", "code"),
    [
        (
            waiting("ErrImagePull", PULL),
            "ImagePullFailed",
            f"cannot pull shop/orders:1: {WHY}",
            None,
        ),
        (
            waiting("ImagePullBackOff", f'Back-off pulling image "x": ErrImagePull: {PULL}'),
            "ImagePullFailed",
            f"cannot pull shop/orders:1: {WHY}",
            None,
        ),
        (
            waiting("ErrImagePull", "rpc error: code = NotFound desc = x: not found"),
            "ImagePullFailed",
            "cannot pull shop/orders:1: x: not found",
            None,
        ),
        (
            waiting("ImagePullBackOff", 'Back-off pulling image "x"'),
            "ImagePullFailed",
            "cannot pull shop/orders:1",
            None,
        ),
        (
            waiting("CreateContainerConfigError", 'secret "keys" not found'),
            "ContainerConfigError",
            'secret "keys" not found',
            None,
        ),
        (
            waiting("CrashLoopBackOff", "back-off 5m0s", last=CRASH, restarts=4),
            "CrashLoopBackOff",
            "KeyError: 'DB_HOST'",
            1,
        ),
        (container(terminated=CRASH), "CrashLoopBackOff", "KeyError: 'DB_HOST'", 1),
        (
            container(running={}, last=CRASH, restarts=1),
            "CrashLoopBackOff",
            "KeyError: 'DB_HOST'",
            1,
        ),
        (
            container(terminated={"exitCode": 137, "reason": "OOMKilled"}),
            "CrashLoopBackOff",
            "killed for using more memory than its limit",
            137,
        ),
        (
            container(terminated={"exitCode": 0, "reason": "Completed"}),
            "CrashLoopBackOff",
            "it ended by itself, but a service has to keep running",
            0,
        ),
        (container(running={}), "ProbeFailing", "it runs, but its readiness probe fails", None),
    ],
)
def test_a_container_explains_itself(
    seen: dict[str, Any], reason: str, message: str, code: int | None
) -> None:
    found = cause([pod(raw(seen))], REVISION)
    assert found == Cause(reason, message, "orders-1", "orders", code)


def test_a_pod_that_fits_nowhere_says_what_the_scheduler_says() -> None:
    found = cause([pod(raw(scheduled="False"))], REVISION)
    assert found == Cause("Unschedulable", NOWHERE, "orders-1")


def test_a_failing_init_container_is_named() -> None:
    blocked = raw(
        waiting("PodInitializing"),
        init=(waiting("CrashLoopBackOff", last=CRASH, restarts=2) | {"name": "migrate"},),
    )
    found = cause([pod(blocked)], REVISION)
    assert found is not None
    assert (found.reason, found.container) == ("CrashLoopBackOff", "migrate")


def test_a_finished_init_container_and_a_start_are_no_failures() -> None:
    done = container("migrate", terminated={"exitCode": 0, "reason": "Completed"})
    assert cause([pod(raw(waiting("ContainerCreating"), init=(done,)))], REVISION) is None
    assert (
        cause([pod(raw(waiting("PodInitializing"), init=(container(running={}),)))], REVISION)
        is None
    )


def test_ready_pods_and_those_of_other_revisions_explain_nothing() -> None:
    bad = waiting("ErrImagePull")
    assert cause([pod(raw(bad, ready="True"))], REVISION) is None
    assert cause([pod(raw(bad, revision="old"))], REVISION) is None
    assert cause([], REVISION) is None


def test_the_gravest_cause_wins_and_the_order_of_pods_does_not_matter() -> None:
    probe = pod(raw(container(running={}), name="a"))
    image = pod(raw(waiting("ErrImagePull"), name="b"))
    assert cause([probe, image], REVISION) == cause([image, probe], REVISION)
    found = cause([probe, image], REVISION)
    assert found is not None
    assert found.reason == "ImagePullFailed"


def test_the_last_line_is_short_and_printable() -> None:
    noisy = {"exitCode": 1, "message": "first\n\x1b[31m" + "x" * 999 + "\n\n"}
    (facts,) = pod(raw(container(terminated=noisy))).containers
    assert facts.last_line.startswith("[31mxxx")
    assert len(facts.last_line) == 256


def test_a_pod_without_any_status_can_be_read() -> None:
    assert pod({"metadata": {"name": "new"}}).containers == ()


def since(seconds: int) -> Condition:
    minute, second = divmod(60 * 60 - seconds, 60)
    return Condition("True", "ReplicaSetUpdated", updated=f"2026-01-01T11:{minute:02}:{second:02}Z")


@pytest.mark.parametrize(
    ("facts", "wanted"),
    [
        (pods(2), False),
        (pods(0, progressing=since(9)), False),
        (pods(0, progressing=since(10)), True),
        (pods(0, progressing=STEPPING, observed=0), False),  # its controller has not acted yet
        (pods(0, progressing=EXPIRED), True),
        (pods(0, 0, total=1, updated=0), False),  # going to zero is no failure
        (pods(0, progressing=None), False),
    ],
)
def test_pods_are_looked_at_when_they_stand_still(facts: Any, wanted: bool) -> None:
    of = service()
    assert wants_pods(of, world(of, facts)) is wanted


def test_pods_lost_after_the_rollout_are_looked_at_too() -> None:
    fine = service()
    of = service(known=report(fine, world(fine)).status)
    gone = service(known=report(of, world(of, pods(0))).status)
    seen = world(gone, pods(0, progressing=COMPLETE))
    assert not wants_pods(gone, seen)
    later = world(gone, pods(0, progressing=COMPLETE), now="2026-01-01T12:00:10Z")
    assert later.now > NOW
    assert wants_pods(gone, later)


@pytest.mark.parametrize(
    ("reason", "progressing", "condition"),
    [
        ("ErrImagePull", STEPPING, "Reconciling"),
        ("ErrImagePull", EXPIRED, "Stalled"),
    ],
)
def test_failing_pods_are_told_at_once_and_stall_past_the_deadline(
    reason: str, progressing: Any, condition: str
) -> None:
    of = service()
    sick = pod(raw(waiting(reason, PULL), revision=revision(of)))
    told = report(of, world(of, pods(0, progressing=progressing), pods=(sick,)))
    found = {c["type"]: c["reason"] for c in told.status["conditions"]}
    assert found["Ready"] == found[condition] == "ImagePullFailed"
    assert told.status["lastFailure"] == {
        "hash": revision(of),
        "pod": "orders-1",
        "container": "orders",
        "reason": "ImagePullFailed",
        "message": f"cannot pull shop/orders:1: {WHY}",
        "time": NOW,
    }
    assert told.again == 15
    assert "WorkloadFailing" in [event.reason for event in told.events]


def test_a_restart_is_no_news_and_looks_become_rare() -> None:
    of = service()

    def sick(restarts: int, name: str) -> Any:
        crash = waiting("CrashLoopBackOff", last=CRASH, restarts=restarts)
        return (pod(raw(crash, name=name, revision=revision(of))),)

    first = report(of, world(of, pods(0, progressing=EXPIRED), pods=sick(1, "orders-1")))
    again = service(known=first.status)
    later = world(
        again,
        pods(0, progressing=EXPIRED),
        pods=sick(9, "orders-2"),
        now="2026-01-01T14:00:00Z",
    )
    told = report(again, later)
    assert told.status == first.status
    assert told.again == 300


def test_a_slow_start_is_no_failure_before_the_deadline() -> None:
    of = service()
    slow = (pod(raw(container(running={}), revision=revision(of))),)
    told = report(of, world(of, pods(0, progressing=STEPPING), pods=slow))
    assert {c["type"]: c["reason"] for c in told.status["conditions"]}["Ready"] == "Progressing"
    assert "lastFailure" not in told.status
    late = report(of, world(of, pods(0, progressing=EXPIRED), pods=slow))
    assert {c["type"]: c["reason"] for c in late.status["conditions"]}["Ready"] == "ProbeFailing"
