"""What GitOps tools show: kstatus (Flux) and the Argo CD script over one truth table."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from lupa.lua51 import LuaRuntime  # type: ignore[import-untyped]
from tests.kstatus import kstatus

SCRIPT = (
    Path(__file__).parents[2] / "charts/microservice-operator/files/argocd/health.lua"
).read_text()
Object = dict[str, Any]


def argo(obj: Object) -> str:
    """Lua 5.1 with nothing but the base library, as Argo CD runs it."""
    lua = LuaRuntime(unpack_returned_tuples=True, register_eval=False)
    lua.execute("os, io, package, debug, require, string, table, math = nil")
    lua.globals().obj = lua.table_from(obj, recursive=True)
    result = lua.execute(SCRIPT)
    assert isinstance(result["message"], str)
    return str(result["status"])


def told(*conditions: tuple[str, str, str], observed: int | None = 3, **metadata: Any) -> Object:
    status: Object = {
        "conditions": [{"type": t, "status": s, "reason": r} for t, s, r in conditions]
    }
    if observed is not None:
        status["observedGeneration"] = observed
    return {"metadata": {"generation": 3, **metadata}, "status": status}


READY = ("Ready", "True", "Ready")
NOT_READY = ("Ready", "False", "Progressing")
STALLED = ("Stalled", "True", "ImagePullFailed")
PAUSED: dict[str, Any] = {"annotations": {"microservice.dev/paused": "true"}}

TABLE: dict[str, tuple[Object, str, str]] = {
    "never seen": (
        {"metadata": {"generation": 1}, "status": {"observedGeneration": -1}},
        "InProgress",
        "Progressing",
    ),
    "edited, not yet observed": (told(READY, observed=2), "InProgress", "Progressing"),
    "edited while stalled": (told(NOT_READY, STALLED, observed=2), "InProgress", "Progressing"),
    "rolling": (
        told(NOT_READY, ("Reconciling", "True", "Progressing")),
        "InProgress",
        "Progressing",
    ),
    "unknown": (
        told(("Ready", "Unknown", "InternalError"), ("Reconciling", "True", "InternalError")),
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
    "stalled": (told(("Ready", "False", "ImagePullFailed"), STALLED), "Failed", "Degraded"),
    "lost pods": (told(("Ready", "False", "NoReplicaAvailable")), "InProgress", "Progressing"),
    "no conditions": (told(), "Current", "Progressing"),
    "both, reconciling first": (
        told(READY, ("Reconciling", "True", "Progressing"), STALLED),
        "InProgress",
        "Degraded",
    ),
    "both, stalled first": (
        told(READY, STALLED, ("Reconciling", "True", "Progressing")),
        "Failed",
        "Degraded",
    ),
    "no status": ({"metadata": {"generation": 3}}, "Current", "Progressing"),
    "status without observedGeneration": (told(READY, observed=None), "Current", "Progressing"),
    "paused": (told(READY, **PAUSED), "Current", "Suspended"),
    "paused while stalled": (told(NOT_READY, STALLED, **PAUSED), "Failed", "Suspended"),
    "paused before it was seen": (
        {"metadata": {"generation": 1, **PAUSED}},
        "Current",
        "Suspended",
    ),
}


@pytest.mark.parametrize("state", TABLE)
def test_flux_shows_the_state(state: str) -> None:
    obj, expected, _ = TABLE[state]
    assert kstatus(obj) == expected


@pytest.mark.parametrize("state", TABLE)
def test_argo_cd_shows_the_state(state: str) -> None:
    obj, _, expected = TABLE[state]
    assert argo(obj) == expected


def test_a_deleted_object_is_terminating_for_flux() -> None:
    assert kstatus(told(READY, deletionTimestamp="2026-01-01T00:00:00Z")) == "Terminating"


@pytest.mark.parametrize("reader", [kstatus, argo])
def test_success_is_never_read_from_another_generation(reader: Callable[[Object], str]) -> None:
    for observed in (-1, 1, 2, 4):
        assert reader(told(READY, observed=observed)) in ("InProgress", "Progressing")
