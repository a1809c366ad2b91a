"""What keeps a MicroService from being Ready: small checks in the order of their gravity."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from math import ceil
from typing import Any

from microservice_operator import diagnosis
from microservice_operator.api.platform import Platform
from microservice_operator.api.service import MicroService
from microservice_operator.conditions import routes_ready
from microservice_operator.desired import KINDS, deployment
from microservice_operator.desired.pod import revision
from microservice_operator.diagnosis import Cause
from microservice_operator.errors import ApiError
from microservice_operator.observed import Failed, Observed, Outcome, Ref
from microservice_operator.plan import barred

GRACE = 10.0  # seconds of transient failures that nobody needs to hear of
SLOW, PATIENT = 60.0, 300.0  # seconds until the next try at what only a person can mend
POD_NAME = re.compile(r'^pods "[^"]*" is forbidden: ')  # random, so it would change the message


class Phase(Enum):
    STALLED = "nothing changes without a person"
    RECONCILING = "work is under way"
    DEGRADED = "it was in effect and is not any more"


@dataclass(frozen=True, slots=True)
class Verdict:
    reason: str
    message: str
    phase: Phase
    fix: str = ""
    again: float | None = None  # seconds
    keeps_ready: bool = False


@dataclass(frozen=True, slots=True)
class Case:
    """One pass as the checks see it."""

    service: MicroService
    seen: Observed
    outcome: Outcome
    platform: Platform
    wanted: tuple[Ref, ...]
    cause: Cause | None = None  # why pods do not run, as far as somebody looked

    @property
    def pods(self) -> deployment.Pods | None:
        return diagnosis.pods_of(self.service, self.seen)

    @property
    def finished(self) -> bool:
        """The last status says that the spec of this generation was in effect before."""
        known = self.service.known_status
        kinds = {c["type"] for c in known.get("conditions") or () if c["status"] == "True"}
        current = known.get("observedGeneration") == self.service.generation
        return current and not kinds & {"Reconciling", "Stalled"}


def verdict(case: Case) -> Verdict | None:
    """The first thing that keeps it from being Ready; None: the spec is in effect."""
    return next((found for check in CHECKS if (found := check(case))), None)


def cause_of(service: MicroService, seen: Observed) -> Cause | None:
    pods = diagnosis.pods_of(service, seen)
    if pods is None or pods.wanted == 0 or pods.observed < pods.generation:
        return None
    if pods.failure is not None and pods.failure.status == "True":
        return _refused_pods(pods.failure.message)
    if seen.pods is not None:
        return diagnosis.cause(seen.pods, revision(service))
    return _remembered(service, pods)


def transient(outcome: Outcome) -> list[Failed]:
    return [failed for failed in outcome.failures if failed.error.transient]


def refusal(error: ApiError) -> str:
    """The reason for a final refusal of a write."""
    if error.untypeable:
        return "InternalError"
    if "exceeded quota" in error.message:
        return "QuotaExceeded"
    if error.code == 401 or (error.code == 403 and " cannot " in error.message):
        return "Forbidden"
    return "AdmissionDenied"


def _refused_pods(message: str) -> Cause:
    reason = "QuotaExceeded" if "exceeded quota" in message else "AdmissionDenied"
    return Cause(reason, POD_NAME.sub("", message))


def _remembered(service: MicroService, pods: deployment.Pods) -> Cause | None:
    """Nobody looked this time: what was found last holds while the pods are still missing."""
    last = service.known_status.get("lastFailure")
    short = diagnosis.rolling(pods) or pods.available < pods.wanted
    if not last or not short or last["hash"] != revision(service):
        return None
    where = {"pod": last.get("pod", ""), "container": last.get("container", "")}
    return Cause(last["reason"], last["message"], **where, exit_code=last.get("exitCode"))


def _final(case: Case, *reasons: str) -> Failed | None:
    failures = (f for f in case.outcome.failures if not f.error.transient)
    return next((f for f in failures if refusal(f.error) in reasons), None)


def _internal_error(case: Case) -> Verdict | None:
    if not (failed := _final(case, "InternalError")):
        return None
    message = f"{_name(failed.ref)}: {failed.error.message}"
    fix = "this is a bug of the operator; please report it with this message"
    return Verdict("InternalError", message, Phase.STALLED, fix, PATIENT)


def _not_owned(case: Case) -> Verdict | None:
    if not case.outcome.not_owned:
        return None
    others = "; ".join(
        f"{_name(o.ref)} exists already and belongs to {o.owner}" for o in case.outcome.not_owned
    )
    fix = "rename the MicroService, or remove that object if nobody needs it; it is left untouched"
    return Verdict("NotOwned", others, Phase.STALLED, fix, PATIENT)


def _forbidden(case: Case) -> Verdict | None:
    kinds = sorted({r.kind for r in case.wanted if barred(KINDS[r.kind], case.seen)})
    gaps = [f"{case.seen.forbidden[kind]} {KINDS[kind].resource}" for kind in kinds]
    if not gaps and (failed := _final(case, "Forbidden")):
        gaps = [f"{failed.verb} {failed.resource}"]
    if not gaps:
        return None
    fix = "an administrator has to give the operator this right, for example by the Helm chart"
    message = f"the operator may not {'; '.join(gaps)}"
    return Verdict("Forbidden", message, Phase.STALLED, fix, PATIENT)


def _denied(case: Case) -> Verdict | None:
    fix = "change the spec so that it passes, or the policy; it is tried again every minute"
    if failed := _final(case, "AdmissionDenied", "QuotaExceeded"):
        message = f"{_name(failed.ref)}: {failed.error.message}"
        return Verdict(refusal(failed.error), message, Phase.STALLED, fix, SLOW)
    if case.cause is not None and case.cause.reason == "AdmissionDenied":
        message = f"pods are refused: {case.cause.message}"
        return Verdict("AdmissionDenied", message, Phase.STALLED, fix)
    return None


def _retrying(case: Case) -> Verdict | None:
    failures = transient(case.outcome)
    if not failures:
        return None
    message = f"{_name(failures[0].ref)}: {failures[0].error.message or failures[0].error.reason}"
    known = case.service.known_status.get("observedGeneration")
    repair = known == case.service.generation
    return Verdict("RetryingApply", message, Phase.RECONCILING, keeps_ready=repair)


def _pods_fail(case: Case) -> Verdict | None:
    pods, cause = case.pods, case.cause
    if pods is None or cause is None or not _too_few(case, pods):
        return None
    phase = _phase(case, pods)
    if cause.reason == "ProbeFailing" and phase is Phase.RECONCILING:
        return None  # it may just be starting
    return Verdict(cause.reason, _described(cause), phase, FIXES[cause.reason], _next_look(case))


def _deadline(case: Case) -> Verdict | None:
    if case.pods is None or not diagnosis.deadline_passed(case.pods):
        return None
    seconds = case.service.spec.rollout.progress_deadline_seconds
    message = f"{_count(case, case.pods)}; no progress for {seconds} s"
    fix = "see `kubectl describe pods`: an image, a volume or a node may be missing"
    return Verdict("ProgressDeadlineExceeded", message, Phase.STALLED, fix, _next_look(case))


def _progressing(case: Case) -> Verdict | None:
    if case.pods is None:
        return Verdict("Progressing", "the Deployment is about to be made", Phase.RECONCILING)
    if not diagnosis.rolling(case.pods):
        return _shrinking(case, case.pods)
    return Verdict(
        "Progressing", _count(case, case.pods), Phase.RECONCILING, again=_next_look(case)
    )


def _shrinking(case: Case, pods: deployment.Pods) -> Verdict | None:
    """What the spec asked for; an autoscaler may take pods away without anybody's notice."""
    if pods.total <= pods.wanted or case.finished:
        return None
    words = f"{pods.total} pods are there, {pods.wanted} are wanted"
    return Verdict("Progressing", words, Phase.RECONCILING)


def _too_few_pods(case: Case) -> Verdict | None:
    if case.pods is None or not _too_few(case, case.pods):
        return None
    reason = "ReplicasUnavailable" if case.pods.available else "NoReplicaAvailable"
    again = _next_look(case)
    if not case.finished:
        return Verdict("Progressing", _count(case, case.pods), Phase.RECONCILING, again=again)
    return Verdict(reason, _count(case, case.pods), Phase.DEGRADED, again=again)


def _routes(case: Case) -> Verdict | None:
    routes = routes_ready(case.service, case.seen, case.platform)
    if routes is None or routes["status"] == "True":
        return None
    if routes["reason"] == "Pending" and not case.finished:
        return Verdict("Progressing", routes["message"], Phase.RECONCILING)
    return Verdict("RoutesNotReady", routes["message"], Phase.DEGRADED)


CHECKS: tuple[Callable[[Case], Verdict | None], ...] = (
    _internal_error,
    _not_owned,
    _forbidden,
    _denied,
    _retrying,
    _pods_fail,
    _deadline,
    _progressing,
    _too_few_pods,
    _routes,
)
FIXES = {
    "QuotaExceeded": "ask for fewer pods or less for each, or have the namespace's quota raised",
    "ImagePullFailed": "correct spec.image, or let the nodes pull it with spec.imagePullSecrets",
    "ContainerConfigError": "create what is missing, or correct the reference to it",
    "CrashLoopBackOff": "`kubectl logs --previous` of the pod in status.lastFailure shows more;"
    " a corrected spec is rolled out at once",
    "Unschedulable": "ask for less, relax where pods may run, or add nodes",
    "ProbeFailing": "correct spec.probes.readiness, or what it asks",
}


def _phase(case: Case, pods: deployment.Pods) -> Phase:
    if diagnosis.deadline_passed(pods):
        return Phase.STALLED
    done = case.finished and not diagnosis.rolling(pods)
    return Phase.DEGRADED if done else Phase.RECONCILING


def _too_few(case: Case, pods: deployment.Pods) -> bool:
    """While it rolls, every pod counts; afterwards, as many may be away as availability says."""
    if pods.wanted == 0:
        return False
    if not case.finished or diagnosis.rolling(pods):
        return pods.available < pods.wanted or diagnosis.rolling(pods)
    return pods.available < max(1, pods.wanted - _spared(case.service, pods.wanted))


def _spared(service: MicroService, wanted: int) -> int:
    limit = service.spec.availability.max_unavailable
    return limit if isinstance(limit, int) else ceil(wanted * int(limit[:-1]) / 100)


def _next_look(case: Case) -> float:
    """Every 15 s until the cause has been the same for 5 min, then less and less often."""
    since = diagnosis.stuck_since(case.service, case.seen)
    if (
        since is not None
        and (waited := diagnosis.elapsed(since, case.seen.now)) < diagnosis.PATIENCE
    ):
        return max(1.0, diagnosis.PATIENCE - waited)
    last: Any = case.service.known_status.get("lastFailure") or {}
    known = diagnosis.elapsed(last["time"], case.seen.now) if last else 0.0
    return min(PATIENT, max(15.0, known / 20))


def _count(case: Case, pods: deployment.Pods) -> str:
    """At least so many: the Deployment does not say whose the pods are that are available."""
    ready = max(0, min(pods.updated, pods.available - pods.old, pods.wanted))
    words = f"{ready} of {pods.wanted} pods of this revision available"
    return words + ("; why is not known: the operator may not list pods" if case.seen.blind else "")


def _described(cause: Cause) -> str:
    """Without the pod, whose name changes from try to try: lastFailure has it."""
    subject = f"container {cause.container}" if cause.container else "pods"
    code = "" if cause.exit_code is None else f"exit code {cause.exit_code}: "
    return f"{subject}: {code}{cause.message}"


def _name(ref: Ref) -> str:
    return f"{ref.kind} {ref.name}"


def refs(wanted: Iterable[tuple[Any, Any]]) -> tuple[Ref, ...]:
    return tuple(Ref(kind.kind, manifest["metadata"]["name"]) for kind, manifest in wanted)
