"""`msvc diff`: what applying a file would change in the cluster, child by child."""

import argparse
import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from microservice_operator import names, owned
from microservice_operator.api.kinds import MICROSERVICE
from microservice_operator.api.service import MicroService
from microservice_operator.desired import KINDS, deployment, desired
from microservice_operator.observed import Manifest, Plan, Ref, Write
from microservice_operator.plan import barred, plan
from msvc.children import Children, children
from msvc.cluster import Cluster
from msvc.command import Command
from msvc.documents import Document, services
from msvc.exits import Exit, Failure
from msvc.facts import facts
from msvc.paint import Paint
from msvc.printing import as_yaml, show
from msvc.render import NO_UID, arguments, namespace_of, parsed

CHANGES = frozenset({"create", "update", "delete", "not owned"})


@dataclass(frozen=True, slots=True)
class Change:
    ref: Ref
    change: str  # create, update, delete, none, skipped, not owned, unknown
    text: str = ""  # unified diff, or why


@dataclass(frozen=True, slots=True)
class Answer:
    service: MicroService
    changes: tuple[Change, ...]
    restarts: str  # "yes" or "no", with the reason

    @property
    def value(self) -> dict[str, Any]:
        return {
            "namespace": self.service.namespace,
            "name": self.service.name,
            "paused": self.service.paused,
            "restartsPods": self.restarts.startswith("yes"),
            "restartsPodsBecause": self.restarts,
            "children": [
                {"kind": c.ref.kind, "name": c.ref.name, "change": c.change, "diff": c.text}
                for c in self.changes
            ],
        }


def _run(options: argparse.Namespace) -> Exit:
    cluster = Cluster.of(options)
    answers = [_answer(options, cluster, document) for document in services(options.file)]
    show(
        options,
        [answer.value for answer in answers],
        lambda paint: "\n\n".join("\n".join(_lines(answer, paint)) for answer in answers),
    )
    changed = any(change.change in CHANGES for answer in answers for change in answer.changes)
    return Exit.NO if changed else Exit.OK


def _answer(options: argparse.Namespace, cluster: Cluster, document: Document) -> Answer:
    namespace = namespace_of(options, document, cluster)
    live = cluster.find(MICROSERVICE, namespace, document.name)
    service = _as_applied(document, namespace, live)
    platform = facts(options, cluster, namespace).platform
    seen = children(cluster, service)
    wanted = desired(service, seen.observed, platform)
    todo = plan(wanted, seen.observed)
    manifests = {Ref(kind.kind, m["metadata"]["name"]): m for kind, m in wanted}
    changes = tuple(_changes(cluster, service, seen, todo))
    return Answer(service, changes, _restarts(service, seen, manifests))


def _as_applied(document: Document, namespace: str, live: Any) -> MicroService:
    """An apply leaves annotations of others, such as pause and restart."""
    if live is None:
        return parsed(document, namespace=namespace, uid=NO_UID)
    kept, given = live["metadata"], document.body["metadata"]
    return parsed(
        Document(document.source, {**document.body, "status": live.get("status")}, document.lines),
        namespace=namespace,
        uid=kept["uid"],
        resourceVersion=kept["resourceVersion"],
        generation=kept.get("generation", 0),
        annotations=(kept.get("annotations") or {}) | (given.get("annotations") or {}),
    )


def _changes(
    cluster: Cluster, service: MicroService, seen: Children, todo: Plan
) -> Iterator[Change]:
    writes = {write.ref: write for write in todo.writes}
    for ref in todo.wanted:
        if ref in writes:
            yield _written(cluster, service, seen, writes[ref])
        elif ref in todo.skipped:
            yield Change(ref, "skipped", "its CRD is not installed")
        elif barred(KINDS[ref.kind], seen.observed):
            yield Change(ref, "unknown", f"you may not list {KINDS[ref.kind].resource}")
        else:
            yield Change(ref, "none")
    for _, record in todo.prune:
        before = _text(owned.cut(seen.live[record.ref], names.MANAGER))
        yield Change(record.ref, "delete", _diff(before, ""))


def _written(cluster: Cluster, service: MicroService, seen: Children, write: Write) -> Change:
    after = _text(_owned(write.manifest))
    if write.uid is not None:
        before = _text(owned.cut(seen.live[write.ref], names.MANAGER))
        return Change(write.ref, "update", _diff(before, after))
    foreign = cluster.find(write.kind, service.namespace, write.ref.name)
    if foreign is not None:
        return Change(
            write.ref, "not owned", "it exists and is not this MicroService's: it stays as it is"
        )
    return Change(write.ref, "create", _diff("", after))


def _restarts(service: MicroService, seen: Children, wanted: dict[Ref, Manifest]) -> str:
    ref = Ref(deployment.KIND.kind, service.name)
    if deployment.KIND.kind in seen.observed.forbidden:
        raise Failure(f"you may not list {deployment.KIND.resource}", Exit.CLUSTER)
    if ref not in seen.live:
        return "no, there are none yet"
    if ref not in wanted:
        return "no"
    before = owned.cut(seen.live[ref], names.MANAGER).get("spec") or {}
    after = wanted[ref]["spec"]
    if before.get("template") != after["template"]:
        all_at_once = service.spec.rollout.strategy == "Recreate"
        return "yes, all at once" if all_at_once else "yes, one after the other"
    if after.get("replicas") == 0 and before.get("replicas") != 0:
        return "no, but all of them are stopped"
    return "no"


def _owned(manifest: Manifest) -> Manifest:
    metadata = {k: v for k, v in manifest["metadata"].items() if k not in owned.UNMANAGED}
    body = {key: value for key, value in manifest.items() if key not in ("apiVersion", "kind")}
    return {**body, "metadata": metadata}


def _text(part: Any) -> str:
    return as_yaml(_sorted(part))


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(item) for item in value] if isinstance(value, list) else value


def _diff(before: str, after: str) -> str:
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=3)
    return "\n".join(list(lines)[2:])  # without the names of files that there are not


SIGNS = {"create": "+", "update": "~", "delete": "-", "not owned": "!", "unknown": "?"}


def _lines(answer: Answer, paint: Paint) -> Iterator[str]:
    service = answer.service
    yield paint.bold(f"MicroService {service.namespace}/{service.name}")
    if service.paused:
        yield paint.yellow("paused: nothing of this happens before `msvc resume`")
    for change in answer.changes:
        title = f"{SIGNS.get(change.change, ' ')} {change.ref.kind} {change.ref.name}"
        yield f"{title}: {'no change' if change.change == 'none' else change.change}"
        yield from (f"    {_coloured(line, paint)}" for line in change.text.splitlines())
    yield f"restarts pods: {paint.bold(answer.restarts)}"


def _coloured(line: str, paint: Paint) -> str:
    match line[:1]:
        case "+":
            return paint.green(line)
        case "-":
            return paint.red(line)
        case "@":
            return paint.grey(line)
        case _:
            return line


COMMAND = Command(
    name="diff",
    summary="what applying a file would change, child by child",
    about="Compare the children that the MicroServices in FILE will have with those in the cluster:"
    " the fields\nthat the operator owns, as it compares them itself. Says whether pods restart."
    " Changes nothing.\nExit status 1 if something would change.",
    example="msvc diff orders.yaml\nmsvc diff orders.yaml -o json | jq '.[].restartsPods'",
    arguments=arguments,
    run=_run,
)
