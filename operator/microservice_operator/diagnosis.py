"""Pods -> why they do not run, in plain words."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from microservice_operator import names
from microservice_operator.api.service import MicroService
from microservice_operator.desired import deployment
from microservice_operator.observed import ContainerFacts, Observed, PodFacts, Ref

PATIENCE = 10.0  # seconds without progress before a look at the pods is worth a request
IMAGE = frozenset(
    {
        "ErrImagePull",
        "ImagePullBackOff",
        "InvalidImageName",
        "ErrImageNeverPull",
        "ImageInspectError",
    }
)
CONFIG = frozenset(
    {
        "CreateContainerConfigError",
        "CreateContainerError",
        "RunContainerError",
        "PostStartHookError",
    }
)
# Each layer of the runtime puts its own words, and the image once more, before the reason.
PULLING = re.compile(
    r'^(rpc error: code = \w+ desc = |failed to (pull and unpack image|resolve reference) "[^"]*": '
    r"|failed to do request: )*"
)
# What the scheduler adds on evicting others: which pods fit nowhere does not depend on it.
PREEMPTION = re.compile(r"[.,]? (no new claims to deallocate|preemption:).*", re.DOTALL)
SEVERITY = (
    "ImagePullFailed",
    "ContainerConfigError",
    "CrashLoopBackOff",
    "Unschedulable",
    "ProbeFailing",
)


@dataclass(frozen=True, slots=True)
class Cause:
    """Why pods do not run; `message` holds nothing that changes from one try to the next."""

    reason: str
    message: str
    pod: str = ""
    container: str = ""
    exit_code: int | None = None


def wants_pods(service: MicroService, seen: Observed) -> bool:
    """Whether this pass should look at the pods: for 10 s, they have made no progress.

    The caller lists them at most every 15 s and passes the last look again in between."""
    since = stuck_since(service, seen)
    return since is not None and elapsed(since, seen.now) >= PATIENCE


def stuck_since(service: MicroService, seen: Observed) -> str | None:
    """When the pods last made progress, if they should and do not; "" is long ago."""
    pods = pods_of(service, seen)
    if pods is None or pods.observed < pods.generation or pods.wanted == 0:
        return None
    if deadline_passed(pods):
        return ""
    if rolling(pods):
        return pods.progressing.updated if pods.progressing else None
    if pods.available >= pods.wanted:
        return None
    return _not_ready_since(service)


def pods_of(service: MicroService, seen: Observed) -> deployment.Pods | None:
    return deployment.pods(seen.children.get(Ref(deployment.KIND.kind, service.name)))


def rolling(pods: deployment.Pods) -> bool:
    """The Deployment is not yet complete at its current generation."""
    if pods.observed < pods.generation or pods.old:
        return True
    complete = pods.progressing is not None and pods.progressing.reason == "NewReplicaSetAvailable"
    return pods.wanted > 0 and not complete


def deadline_passed(pods: deployment.Pods) -> bool:
    progress = pods.progressing
    current = pods.observed >= pods.generation
    return current and progress is not None and progress.reason == "ProgressDeadlineExceeded"


def cause(pods: Sequence[PodFacts], revision: str) -> Cause | None:
    """The gravest cause among the pods of this revision; of equals, that of the first pod."""
    ours = sorted((pod for pod in pods if pod.revision == revision), key=lambda pod: pod.name)
    causes = [found for pod in ours if (found := _of_pod(pod))]
    return min(causes, key=lambda found: SEVERITY.index(found.reason), default=None)


def pod(raw: Mapping[str, Any]) -> PodFacts:
    metadata, status = raw["metadata"], raw.get("status") or {}
    conditions = {c["type"]: c for c in status.get("conditions") or ()}
    scheduled = conditions.get("PodScheduled", {})
    return PodFacts(
        name=metadata["name"],
        phase=status.get("phase", ""),
        scheduled=scheduled.get("status") == "True",
        scheduling_message=PREEMPTION.sub("", scheduled.get("message", "")),
        ready=conditions.get("Ready", {}).get("status") == "True",
        containers=tuple(_containers(status)),
        revision=(metadata.get("labels") or {}).get(names.REVISION, ""),
    )


def elapsed(since: str, now: str) -> float:
    """Seconds between two RFC 3339 times; "" is for ever ago."""
    if not since:
        return float("inf")
    return (datetime.fromisoformat(now) - datetime.fromisoformat(since)).total_seconds()


def _not_ready_since(service: MicroService) -> str | None:
    for condition in service.known_status.get("conditions") or ():
        if condition["type"] == "Ready" and condition["status"] == "False":
            return str(condition["lastTransitionTime"])
    return None


def _containers(status: Mapping[str, Any]) -> Iterator[ContainerFacts]:
    for raw in status.get("initContainerStatuses") or ():
        yield _container(raw, init=True)
    for raw in status.get("containerStatuses") or ():
        yield _container(raw, init=False)


def _container(raw: Mapping[str, Any], *, init: bool) -> ContainerFacts:
    state = raw.get("state") or {}
    waiting = state.get("waiting") or {}
    ended = state.get("terminated") or (raw.get("lastState") or {}).get("terminated") or {}
    return ContainerFacts(
        name=raw["name"],
        image=raw.get("image", ""),
        waiting_reason=waiting.get("reason", ""),
        waiting_message=waiting.get("message", ""),
        restarts=raw.get("restartCount", 0),
        ready=raw.get("ready", False),
        exit_code=ended.get("exitCode"),
        exit_reason=ended.get("reason", ""),
        last_line=_last_line(ended.get("message", "")),
        init=init,
        running="running" in state,
    )


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return "".join(c for c in lines[-1] if c.isprintable())[:256] if lines else ""


def _of_pod(pod: PodFacts) -> Cause | None:
    if pod.ready or pod.phase == "Succeeded":
        return None
    if not pod.scheduled:
        return (
            Cause("Unschedulable", pod.scheduling_message, pod.name)
            if pod.scheduling_message
            else None
        )
    causes = [found for container in pod.containers if (found := _of_container(pod, container))]
    return min(causes, key=lambda found: SEVERITY.index(found.reason), default=None)


def _of_container(pod: PodFacts, container: ContainerFacts) -> Cause | None:
    def because(reason: str, message: str, exit_code: int | None = None) -> Cause:
        return Cause(reason, message, pod.name, container.name, exit_code)

    if container.waiting_reason in IMAGE:
        return because("ImagePullFailed", _pull(container))
    if container.waiting_reason in CONFIG:
        detail = container.waiting_message or container.waiting_reason
        return because("ContainerConfigError", detail)
    if _crashing(container):
        words = container.last_line or _ending(container)
        return because("CrashLoopBackOff", words, container.exit_code)
    if container.running and not container.ready and not container.init:
        return because("ProbeFailing", "it runs, but its readiness probe fails")
    return None


def _crashing(container: ContainerFacts) -> bool:
    if container.ready or container.exit_code is None:
        return False
    if container.init and container.exit_code == 0:
        return False
    ended = not container.running and not container.waiting_reason
    return container.waiting_reason == "CrashLoopBackOff" or container.restarts > 0 or ended


def _ending(container: ContainerFacts) -> str:
    if container.exit_reason == "OOMKilled":
        return "killed for using more memory than its limit"
    if container.exit_code == 0:
        return "it ended by itself, but a service has to keep running"
    return "no output" if container.exit_reason in ("", "Error") else container.exit_reason


def _pull(container: ContainerFacts) -> str:
    """The kubelet alternates between two forms; both end in the same sentence."""
    detail = PULLING.sub("", container.waiting_message.rpartition("ErrImagePull: ")[2])
    back_off = detail.startswith("Back-off pulling image")
    return f"cannot pull {container.image}" + (f": {detail}" if detail and not back_off else "")
