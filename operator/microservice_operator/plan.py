"""(wanted, seen) -> create, update, keep, prune, skip: what is missing, never what happened."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from microservice_operator import owned
from microservice_operator.api.kinds import Kind
from microservice_operator.desired import KINDS
from microservice_operator.observed import Manifest, Observed, Plan, Record, Ref, Write


def plan(
    wanted: Sequence[tuple[Kind, Manifest]],
    seen: Observed,
    before: frozenset[Ref] = frozenset(),
) -> Plan:
    """`before`: children that once existed, as status and pace remember them."""
    refs = tuple(ref_of(kind, manifest) for kind, manifest in wanted)
    usable = [(kind, manifest) for kind, manifest in wanted if _usable(kind, seen)]
    writes = tuple(write for item in usable if (write := _write(*item, seen)))
    written = {write.ref for write in writes}
    return Plan(
        wanted=refs,
        writes=writes,
        prune=tuple(_unwanted(refs, seen)),
        keep=tuple(r for k, m in usable if (r := ref_of(k, m)) not in written),
        skipped=tuple(ref for ref in refs if not served(KINDS[ref.kind], seen)),
        restores=any(write.uid is None and write.ref in before for write in writes),
    )


def ref_of(kind: Kind, manifest: Manifest) -> Ref:
    return Ref(kind.kind, manifest["metadata"]["name"])


def served(kind: Kind, seen: Observed) -> bool:
    return not kind.optional or kind.kind in seen.served


def barred(kind: Kind, seen: Observed) -> bool:
    """We lack a right that writing this kind needs; without `delete` only pruning fails."""
    verbs = {verb.strip() for verb in seen.forbidden.get(kind.kind, "").split(",")}
    return bool(verbs - {"", "delete"})


def without(todo: Plan, held: Collection[Ref]) -> Plan:
    """What can be done now if writes to these have to wait; then nothing is pruned either."""
    if not held:
        return todo
    writes = tuple(write for write in todo.writes if write.ref not in held)
    restores = todo.restores and any(write.uid is None for write in writes)
    return replace(todo, writes=writes, prune=(), restores=restores)


def answered(write: Write, record: Record) -> Record:
    """`record` is the server's answer to `write`: from now on its form of what we asked for."""
    return replace(record, asked=owned.wanted(write.manifest), answered=record.owned)


def _usable(kind: Kind, seen: Observed) -> bool:
    return served(kind, seen) and not barred(kind, seen)


def _write(kind: Kind, manifest: Manifest, seen: Observed) -> Write | None:
    record = seen.children.get(ref_of(kind, manifest))
    if record is None:
        return Write(kind, manifest)
    if record.deleting or _as_wanted(record, owned.wanted(manifest)):
        return None
    return _update(kind, manifest, record)


def _as_wanted(record: Record, digest: str) -> bool:
    """A webhook that rewrites our fields must not make us apply for ever."""
    settled = record.asked == digest and record.owned == record.answered
    return record.owned == digest or settled


def _update(kind: Kind, manifest: Manifest, record: Record) -> Write:
    """A builder pins its manifest to the version it has read a value from."""
    metadata = dict(manifest["metadata"])
    version = metadata.pop("resourceVersion", None)
    pinned = None if version is None else int(version)
    return Write(kind, {**manifest, "metadata": metadata}, uid=record.uid, version=pinned)


def _unwanted(wanted: Iterable[Ref], seen: Observed) -> Iterable[tuple[Kind, Record]]:
    gone = set(seen.children) - set(wanted)
    for ref in sorted(gone, key=lambda ref: (ref.kind, ref.name)):
        record = seen.children[ref]
        if ref.kind in KINDS and not record.deleting:
            yield KINDS[ref.kind], record
