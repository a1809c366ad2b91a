"""`msvc tree`: a MicroService, its children and its pods, each with its state."""

import argparse
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from microservice_operator import names
from microservice_operator.api.kinds import MICROSERVICE, Kind
from microservice_operator.api.service import Identity
from microservice_operator.desired import KINDS, autoscaler, deployment, route
from microservice_operator.diagnosis import cause, deadline_passed, pod, rolling
from microservice_operator.observed import Ref
from msvc.annotate import add_name
from msvc.children import Children, children
from msvc.cluster import Cluster, Forbidden
from msvc.command import Command
from msvc.exits import Exit
from msvc.paint import Paint
from msvc.printing import show

POD = Kind("v1", "Pod", "pods")
WELL, WAITING, ILL, PLAIN = "well", "waiting", "ill", ""
State = tuple[str, str]  # in words, and how well that is


@dataclass(frozen=True, slots=True)
class Node:
    kind: str
    name: str
    state: State
    below: tuple["Node", ...] = ()

    @property
    def value(self) -> dict[str, Any]:
        words, health = self.state
        own = {"kind": self.kind, "name": self.name, "state": words, "health": health or "unknown"}
        return own | {"children": [node.value for node in self.below]}


def _run(options: argparse.Namespace) -> Exit:
    cluster = Cluster.of(options)
    namespace = options.namespace or cluster.namespace
    root = _tree(cluster, cluster.get(MICROSERVICE, namespace, options.name))
    show(options, root.value, lambda paint: "\n".join(_drawn(root, paint)))
    return Exit.OK


def _tree(cluster: Cluster, live: Any) -> Node:
    service = Identity.of(live)
    seen = children(cluster, service)
    pods = tuple(_pods(cluster, service))
    told = {Ref(r["kind"], r["name"]): r for r in service.known_status.get("resources") or ()}
    below = [_child(ref, seen, told.get(ref, {}), pods) for ref in _refs(seen, told)]
    return Node(MICROSERVICE.kind, service.name, _of_service(service), tuple(below))


def _refs(seen: Children, told: Mapping[Ref, Any]) -> list[Ref]:
    """In the order of the operator's own list, those it could not make too."""
    order = list(KINDS)
    every = {*seen.live, *(ref for ref in told if ref.kind in KINDS)}
    return sorted(every, key=lambda ref: (order.index(ref.kind), ref.name))


def _child(ref: Ref, seen: Children, told: Mapping[str, Any], pods: tuple[Node, ...]) -> Node:
    below = pods if ref.kind == deployment.KIND.kind else ()
    return Node(ref.kind, ref.name, _state(ref, seen, told), below)


def _state(ref: Ref, seen: Children, told: Mapping[str, Any]) -> State:
    if ref not in seen.live:
        if ref.kind in seen.observed.forbidden:
            return f"{told['state']}; you may not list {KINDS[ref.kind].resource}", PLAIN
        reason = f": {told['reason']}" if "reason" in told else ""
        missing = "missing" if told["state"] == "Applied" else told["state"]
        return f"{missing}{reason}", WAITING if told["state"] in ("Waiting", "Skipped") else ILL
    describe = STATES.get(ref.kind)
    return describe(seen.observed.children[ref].facts) if describe else ("there", WELL)


def _of_service(service: Identity) -> State:
    status = service.known_status
    conditions = {c["type"]: c for c in status.get("conditions") or ()}
    paused = "; paused" if service.paused else ""
    if service.deleting:
        return f"being deleted{paused}", WAITING
    if status.get("observedGeneration") != service.generation or "Ready" not in conditions:
        return f"not seen by the operator yet{paused}", WAITING
    ready = conditions["Ready"]
    pods = f", {status['pods']} pods" if "pods" in status else ""
    if ready["status"] == "True":
        return f"{ready['reason']}{pods}{paused}", WELL
    health = ILL if "Stalled" in conditions else WAITING
    return f"{ready['reason']}: {ready['message']}{pods}{paused}", health


def _of_deployment(pods: Any) -> State:
    words = f"{pods.ready} of {pods.wanted} pods ready"
    if deadline_passed(pods):
        return f"{words}; no progress for too long", ILL
    if rolling(pods):
        return f"{words}; rolling, {pods.updated} new", WAITING
    return words, WELL if pods.available >= pods.wanted else WAITING


def _of_autoscaler(scaling: Any) -> State:
    if scaling.active is None:
        return "not decided yet", WAITING
    return ("follows the load", WELL) if scaling.active else (_because(scaling), ILL)


def _of_route(parents: Any) -> State:
    if len(parents.attached) < parents.expected:
        return "no Gateway has answered yet", WAITING
    for attached in parents.attached:
        for verdict in (attached.accepted, attached.resolved):
            if verdict.pending:
                return f"Gateway {attached.parent} has not decided yet", WAITING
            if not verdict.ok:
                return f"Gateway {attached.parent} refuses: {_because(verdict)}", ILL
    return "accepted", WELL


def _because(facts: Any) -> str:
    return f"{facts.reason}: {facts.message}" if facts.message else str(facts.reason)


STATES: Mapping[str, Callable[[Any], State]] = {
    deployment.KIND.kind: _of_deployment,
    autoscaler.KIND.kind: _of_autoscaler,
    route.KIND.kind: _of_route,
}


def _pods(cluster: Cluster, service: Identity) -> Iterator[Node]:
    labels = ",".join(f"{key}={value}" for key, value in names.all_pods(service).items())
    try:
        found = cluster.list(POD, service.namespace, labels)
    except Forbidden:
        return
    for body in sorted(found, key=lambda each: str(each["metadata"]["name"])):
        yield Node(POD.kind, body["metadata"]["name"], _of_pod(body))


def _of_pod(body: Any) -> State:
    facts = pod(body)
    restarts = sum(container.restarts for container in facts.containers)
    more = f", revision {facts.revision}" + (f", {restarts} restarts" if restarts else "")
    if "deletionTimestamp" in body["metadata"]:
        return f"ending{more}", WAITING
    if facts.ready:
        return f"ready{more}", WELL
    found = cause([facts], facts.revision)
    if found is None:
        return f"{facts.phase}{more}", WAITING
    code = f", exit {found.exit_code}" if found.exit_code is not None else ""
    return f"{found.reason}{code}: {found.message}{more}", ILL


def _drawn(node: Node, paint: Paint, first: str = "", rest: str = "") -> Iterator[str]:
    words, health = node.state
    colour = {WELL: paint.green, WAITING: paint.yellow, ILL: paint.red}.get(health, paint.grey)
    yield f"{paint.grey(first)}{node.kind} {paint.bold(node.name)}  {colour(words)}"
    for number, below in enumerate(node.below, start=1):
        last = number == len(node.below)
        branch, trunk = ("└─ ", "   ") if last else ("├─ ", "│  ")
        yield from _drawn(below, paint, rest + branch, rest + trunk)


COMMAND = Command(
    name="tree",
    summary="a service, its children and pods, each with its state",
    about="Draw a MicroService with everything that belongs to it and the state of each part.",
    example="msvc tree orders -n shop",
    arguments=add_name,
    run=_run,
)
