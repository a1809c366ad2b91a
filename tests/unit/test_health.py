"""What GitOps tools show: kstatus (Flux) and the Argo CD script over one truth table."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.kstatus import kstatus

from tests import argocd

PAGE = Path(__file__).parents[2] / "docs" / "guides" / "gitops.md"
Object = dict[str, Any]


def told(*conditions: tuple[str, str, str], observed: int | None = 3, **metadata: Any) -> Object:
    status: Object = {
        "conditions": [{"type": t, "status": s, "reason": r} for t, s, r in conditions]
    }
    if observed is not None:
        status["observedGeneration"] = observed
    return {"metadata": {"generation": 3, **metadata}, "status": status}


READY = ("Ready", "True", "Ready")
NOT_READY = ("Ready", "False", "Progressing")
PROGRESSING = ("Reconciling", "True", "Progressing")
STALLED = ("Stalled", "True", "ImagePullFailed")
PAUSED: dict[str, Any] = {"annotations": {"microservice.dev/paused": "true"}}
RUNNING: dict[str, Any] = {"annotations": {"microservice.dev/paused": "false"}}
DELETED: dict[str, Any] = {"deletionTimestamp": "2026-01-01T00:00:00Z"}
FINAL = (
    "InvalidSpec",
    "NotOwned",
    "Forbidden",
    "AdmissionDenied",
    "InternalError",
    "QuotaExceeded",
    "ImagePullFailed",
    "ContainerConfigError",
    "CrashLoopBackOff",
    "Unschedulable",
    "ProbeFailing",
    "ProgressDeadlineExceeded",
    "PreDeployFailed",  # a later release; a script outlives its operator
    "RolledBack",
)


def both(state: str, *others: str, ready: str = "True") -> Object:
    return told(("Ready", ready, state), *((other, "True", state) for other in others))


# State, as on the page: what the object says, kstatus (Flux), Argo CD.
TABLE: dict[str, tuple[Object, str, str]] = {
    "never seen by the operator": (
        {"metadata": {"generation": 1}, "status": {"observedGeneration": -1}},
        "InProgress",
        "Progressing",
    ),
    "edited, not yet observed": (told(READY, observed=2), "InProgress", "Progressing"),
    "rolling": (told(NOT_READY, PROGRESSING), "InProgress", "Progressing"),
    "first pass fails": (
        both("RetryingApply", "Reconciling", ready="False"),
        "InProgress",
        "Progressing",
    ),
    "in effect": (told(READY, ("Available", "True", "ReplicasAvailable")), "Current", "Healthy"),
    "suspended": (told(("Ready", "True", "Suspended")), "Current", "Suspended"),
    "a repair is retried": (
        told(READY, ("Reconciling", "True", "RetryingApply")),
        "InProgress",
        "Healthy",
    ),
    "the operator fails on it": (
        told(READY, ("Reconciling", "True", "InternalError")),
        "InProgress",
        "Healthy",
    ),
    "nothing changes without a person": (
        both("ImagePullFailed", "Stalled", ready="False"),
        "Failed",
        "Degraded",
    ),
    "lost pods or a route": (
        told(("Ready", "False", "NoReplicaAvailable")),
        "InProgress",
        "Progressing",
    ),
    "paused": (told(READY, **PAUSED), "Current", "Suspended"),
    "paused while stalled": (told(NOT_READY, STALLED, **PAUSED), "Failed", "Suspended"),
    "being deleted": (told(READY, **DELETED), "Terminating", "Progressing"),
}
# What the operator never writes; a script that fails on it would show nothing at all.
STRANGE: dict[str, tuple[Object, str, str]] = {
    "unknown": (both("Progressing", "Reconciling", ready="Unknown"), "InProgress", "Progressing"),
    "edited while stalled": (told(NOT_READY, STALLED, observed=2), "InProgress", "Progressing"),
    "a later generation": (told(READY, observed=4), "InProgress", "Progressing"),
    "no conditions": (told(), "Current", "Progressing"),
    "both, reconciling first": (told(READY, PROGRESSING, STALLED), "InProgress", "Degraded"),
    "both, stalled first": (told(READY, STALLED, PROGRESSING), "Failed", "Degraded"),
    "no status": ({"metadata": {"generation": 3}}, "Current", "Progressing"),
    "no observedGeneration": (told(READY, observed=None), "Current", "Progressing"),
    "paused before it was seen": (
        {"metadata": {"generation": 1, **PAUSED}},
        "Current",
        "Suspended",
    ),
    "paused is false": (told(READY, **RUNNING), "Current", "Healthy"),
    "deleted while paused": (told(READY, **PAUSED, **DELETED), "Terminating", "Progressing"),
    "an unknown condition": (told(READY, ("Fancy", "False", "New")), "Current", "Healthy"),
    "an unknown reason": (told(("Ready", "True", "Splendid")), "Current", "Healthy"),
    "stalled is false": (told(READY, ("Stalled", "False", "Fine")), "Current", "Healthy"),
}
ALL = (
    TABLE
    | STRANGE
    | {
        f"stalled by {reason}": (both(reason, "Stalled", ready="False"), "Failed", "Degraded")
        for reason in FINAL
    }
    | {
        f"not ready by {reason}": (
            told(("Ready", "False", reason)),
            "InProgress",
            "Progressing",
        )
        for reason in ("ReplicasUnavailable", "RoutesNotReady", "DependencyNotReady")
    }
)


@pytest.mark.parametrize("state", ALL)
def test_flux_shows_the_state(state: str) -> None:
    obj, expected, _ = ALL[state]
    assert kstatus(obj) == expected


@pytest.mark.parametrize("state", ALL)
def test_argo_cd_shows_the_state(state: str) -> None:
    obj, _, expected = ALL[state]
    assert argocd.health(obj) == expected


@pytest.mark.parametrize("reader", [kstatus, argocd.health])
def test_success_is_never_read_from_another_generation(reader: Callable[[Object], str]) -> None:
    for observed in (-1, 1, 2, 4):
        assert reader(told(READY, observed=observed)) in ("InProgress", "Progressing")


def test_the_page_for_gitops_shows_this_table() -> None:
    rows = re.findall(r"^\| ([^|]+) \| [^|]+ \| (\w+) \| (\w+) \|$", PAGE.read_text(), re.MULTILINE)
    assert rows == [(state, flux, argo) for state, (_, flux, argo) in TABLE.items()]


def test_argo_cd_offers_what_makes_sense_now() -> None:
    everything = {"pause": True, "resume": False, "restart": True}
    assert argocd.actions(told(READY)) == everything
    assert argocd.actions(told(READY, **RUNNING)) == everything
    assert argocd.actions(told(READY, **PAUSED)) == {
        "pause": False,
        "resume": True,
        "restart": False,
    }


@pytest.mark.parametrize("metadata", [{}, {"annotations": {"team": "checkout"}}])
def test_pause_and_resume_leave_the_object_as_it_was(metadata: dict[str, Any]) -> None:
    before = told(READY, **metadata)
    paused = argocd.act("pause", before)
    assert paused["metadata"]["annotations"]["microservice.dev/paused"] == "true"
    assert argocd.health(paused) == "Suspended"
    assert argocd.act("resume", paused) == before


def test_a_restart_says_when_it_was_asked_for_and_changes_nothing_else() -> None:
    before = told(READY, annotations={"team": "checkout"})
    after = argocd.act("restart", before)
    asked = after["metadata"]["annotations"].pop("microservice.dev/restart")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", asked)
    assert after == before


def test_every_action_that_is_offered_has_a_script() -> None:
    scripts = {path.stem for path in (argocd.FOLDER / "actions").glob("*.lua")}
    assert scripts - {"discovery"} == argocd.actions(told(READY)).keys()
