"""Reasons are API: frozen here, and each with a line in the runbook."""

import ast
import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
PACKAGE = REPOSITORY / "operator" / "microservice_operator"
# The modules that word a status, a problem or an event.
WORDING = ("checks", "conditions", "diagnosis", "problems", "status")
RUNBOOK = (REPOSITORY / "docs" / "guides" / "runbook.md").read_text()

READY_FALSE = {
    "InvalidSpec",
    "InternalError",
    "NotOwned",
    "Forbidden",
    "AdmissionDenied",
    "QuotaExceeded",
    "RetryingApply",
    "ImagePullFailed",
    "ContainerConfigError",
    "CrashLoopBackOff",
    "Unschedulable",
    "ProbeFailing",
    "ProgressDeadlineExceeded",
    "Progressing",
    "NoReplicaAvailable",
    "ReplicasUnavailable",
    "RoutesNotReady",
}
OTHERS = {
    "Ready",
    "Suspended",
    "ReplicasAvailable",
    "ScaledToZero",
    "NotStarted",
    "Accepted",
    "Pending",
    "NotAccepted",
    "RefNotPermitted",
    "ScalingActive",
    "MetricsUnavailable",
    "Applied",
    "CRDNotInstalled",
}
PROBLEMS = {
    "GatewayNotAllowed",
    "BlocksDrains",
    "RulesWithoutEffect",
    "NoRequest",
    "SharedClaim",
    "KeyNotAllowed",
    "NoTracingEndpoint",
    "TracingNotAllowed",
}
EVENTS = {"WorkloadFailing", "RolloutFailed", "RouteRejected", "Recovered", "Contested"}
REASONS = READY_FALSE | OTHERS | PROBLEMS | EVENTS

TYPES = {"Reconciling", "Stalled", "Available", "RoutesReady", "AutoscalerReady", "MonitoringReady"}
STATES = {"Skipped", "Failed", "Waiting", "Error", "Warning", "Normal", "True", "False"}
OF_THE_SPEC = {"None", "Full", "Utilization"}
OF_KUBERNETES = {  # read from its objects and those of the Gateway API
    "CreateContainerConfigError",
    "CreateContainerError",
    "ErrImageNeverPull",
    "ErrImagePull",
    "ImageInspectError",
    "ImagePullBackOff",
    "InvalidImageName",
    "NewReplicaSetAvailable",
    "NoMatchingListenerHostname",
    "NoMatchingParent",
    "NotAllowedByListeners",
    "OOMKilled",
    "PodScheduled",
    "PostStartHookError",
    "RunContainerError",
    "ScalingDisabled",
    "Succeeded",
}


def words() -> set[str]:
    """Every CamelCase string of these modules."""
    trees = (ast.walk(ast.parse((PACKAGE / f"{name}.py").read_text())) for name in WORDING)
    strings = (n.value for tree in trees for n in tree if isinstance(n, ast.Constant))
    camel = re.compile(r"[A-Z]+[a-z][A-Za-z]*")
    return {s for s in strings if isinstance(s, str) and camel.fullmatch(s)}


def section(title: str) -> set[str]:
    (text,) = re.findall(rf"^## {title}\n(.*?)(?=^## |\Z)", RUNBOOK, re.MULTILINE | re.DOTALL)
    return set(re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE))


def test_a_reason_is_added_on_purpose_and_never_renamed() -> None:
    assert words() == REASONS | TYPES | STATES | OF_THE_SPEC | OF_KUBERNETES


@pytest.mark.parametrize(
    ("title", "reasons"),
    [
        ("Why Ready is False", READY_FALSE),
        ("The other conditions", OTHERS),
        ("Problems", PROBLEMS),
        ("Events", EVENTS),
    ],
)
def test_every_reason_has_its_line_in_the_runbook(title: str, reasons: set[str]) -> None:
    assert section(title) == reasons


def test_every_line_of_the_runbook_says_what_it_means_where_to_look_and_what_helps() -> None:
    rows = re.findall(r"^\| `\w+` \|.*$", RUNBOOK, re.MULTILINE)
    assert len(rows) == len(REASONS)
    for row in rows:
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]]
        assert len(cells) == 4, row
        assert all(len(cell) > 15 for cell in cells[1:]), row
        assert "`kubectl " in cells[2], row
