"""`msvc restart`: replace the pods as a rollout does, and see it through."""

import argparse
import time
from typing import Any

from microservice_operator.api.kinds import MICROSERVICE
from microservice_operator.api.service import RESTART, Identity
from microservice_operator.clock import Clock
from microservice_operator.desired import deployment
from microservice_operator.diagnosis import deadline_passed, rolling
from msvc.annotate import add_name
from msvc.cluster import Cluster, Unreachable
from msvc.command import Command
from msvc.exits import Exit, Failure
from msvc.printing import show
from msvc.progress import Progress

BETWEEN = 1.0  # seconds between two looks


def _arguments(parser: argparse.ArgumentParser) -> None:
    add_name(parser)
    parser.add_argument("--wait", action="store_true", help="until every pod is a new one")
    parser.add_argument(
        "--timeout",
        type=_seconds,
        default=600.0,
        metavar="SECONDS",
        help="of --wait (default: 600)",
    )


def _seconds(text: str) -> float:
    seconds = float(text)
    if seconds <= 0:
        raise argparse.ArgumentTypeError("write a number above 0")
    return seconds


def _run(options: argparse.Namespace) -> Exit:
    cluster = Cluster.of(options)
    namespace = options.namespace or cluster.namespace
    service = Identity.of(cluster.get(MICROSERVICE, namespace, options.name))
    if service.paused:
        raise Failure(f"{service.name} is paused: `msvc resume {service.name}` first", Exit.NO)
    asked = Clock().precise()
    cluster.annotate(namespace, service.name, {RESTART: asked})
    if options.wait:
        _wait(cluster, service, asked, options.timeout)
    value = {"namespace": namespace, "name": service.name, "restart": asked, "done": options.wait}
    words = "has new pods" if options.wait else "will have new pods"
    show(options, value, lambda paint: f"{paint.bold(service.name)} {words}")
    return Exit.OK


def _wait(cluster: Cluster, service: Identity, asked: str, timeout: float) -> None:
    """Raises Failure where the operator gives up, or the time is over."""
    clock, progress = Clock(), Progress()
    try:
        while words := _to_say(cluster, service, asked):
            progress.say(f"{service.name}: {words}")
            if clock.monotonic() > timeout:
                raise Failure(
                    f"{service.name} is not done after {timeout:g} s: {words}; "
                    f"`msvc tree {service.name}` shows where it stands",
                    Exit.NO,
                )
            time.sleep(BETWEEN)
    finally:
        progress.done()


def _to_say(cluster: Cluster, service: Identity, asked: str) -> str:
    """A cluster that is away for a moment is no reason to give up."""
    try:
        return _missing(cluster, service, asked)
    except Unreachable as away:
        return str(away)


def _missing(cluster: Cluster, service: Identity, asked: str) -> str:
    """What is still to come, "" for nothing."""
    live = cluster.get(MICROSERVICE, service.namespace, service.name)
    if (live["metadata"].get("annotations") or {}).get(RESTART) != asked:
        raise Failure(f"somebody else has restarted {service.name} meanwhile", Exit.NO)
    child = cluster.find(deployment.KIND, service.namespace, service.name)
    if child is None or _restarted(child) != asked:
        return f"the operator has not acted yet{_stalled(live)}"
    pods = deployment.facts(child)
    if deadline_passed(pods):  # not by the status, which may still be that of before
        raise Failure(f"{service.name} made no progress for too long{_stalled(live)}", Exit.NO)
    return _to_come(pods)


def _to_come(pods: deployment.Pods) -> str:
    if rolling(pods) or pods.available < pods.wanted:
        return f"{pods.updated} of {pods.wanted} pods are new, {pods.available} serve"
    return f"{pods.total - pods.wanted} old pods end" if pods.total > pods.wanted else ""


def _restarted(live: Any) -> str:
    metadata = live["spec"]["template"].get("metadata") or {}
    return str((metadata.get("annotations") or {}).get(RESTART, ""))


def _stalled(live: Any) -> str:
    conditions = {c["type"]: c for c in (live.get("status") or {}).get("conditions") or ()}
    if "Stalled" not in conditions:
        return ""
    ready = conditions.get("Ready", conditions["Stalled"])
    return f": {ready['reason']}: {ready['message']}"


COMMAND = Command(
    name="restart",
    summary="replace the pods one after the other",
    about="Set the annotation by which the operator replaces the pods of a MicroService as a"
    " rollout does.\nWith --wait until every pod is new and serves; exit status 1 if that fails.",
    example="msvc restart orders -n shop --wait",
    arguments=_arguments,
    run=_run,
)
