"""Field ownership as server-side apply keeps it, in 100 lines: paths of leaves by manager."""

from collections.abc import Iterator
from copy import deepcopy
from itertools import pairwise
from typing import Any

import orjson

Path = tuple[str, ...]
Owners = dict[str, set[Path]]  # field manager -> paths of leaves

KEYS = {  # lists the API server merges by key; all others are atomic
    "containers": ("name",),
    "initContainers": ("name",),
    "env": ("name",),
    "volumes": ("name",),
    "volumeMounts": ("mountPath",),
    "imagePullSecrets": ("name",),
    "ownerReferences": ("uid",),
    "conditions": ("type",),
}
UNMANAGED = {"name", "namespace", "uid", "resourceVersion", "generation", "managedFields"}


def apply(live: dict[str, Any], applied: dict[str, Any], owners: Owners, manager: str) -> Any:
    """`live` after a forced apply by `manager`; `owners` is brought up to date."""
    result, wanted = deepcopy(live), dict(leaves(applied))
    gone = owners.get(manager, set()) - set(wanted)
    for path in sorted(gone, key=lambda path: path[-1] != "."):  # whole items first
        if not any(path in paths for other, paths in owners.items() if other != manager):
            _delete(result, path)
    for path, value in wanted.items():
        if _get(result, path) != value:
            _set(result, path, value)
            for paths in owners.values():
                paths.discard(path)
    owners[manager] = set(wanted)
    return result


def edited(before: dict[str, Any], after: dict[str, Any], owners: Owners, manager: str) -> None:
    """Whoever changes a field owns it alone; one that is removed has no owner."""
    old, new = dict(leaves(before)), dict(leaves(after))
    changed = {path for path, value in new.items() if path not in old or old[path] != value}
    for paths in owners.values():
        paths -= changed | (set(old) - set(new))
    owners.setdefault(manager, set()).update(changed)


def managed(owners: Owners, applied_by: set[str]) -> list[dict[str, Any]]:
    """metadata.managedFields."""
    return [
        {
            "manager": manager,
            "operation": "Apply" if manager in applied_by else "Update",
            "fieldsType": "FieldsV1",
            "fieldsV1": _tree(paths),
        }
        for manager, paths in owners.items()
        if paths
    ]


def leaves(manifest: dict[str, Any]) -> Iterator[tuple[Path, Any]]:
    for name, value in manifest.items():
        if name == "metadata":
            rest = {k: v for k, v in value.items() if k not in UNMANAGED}
            yield from _leaves(rest, ("f:metadata",), name)
        elif name not in ("apiVersion", "kind", "status"):
            yield from _leaves(value, (f"f:{name}",), name)


def _leaves(value: Any, path: Path, field: str) -> Iterator[tuple[Path, Any]]:
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from _leaves(inner, (*path, f"f:{name}"), name)
    elif isinstance(value, list) and (keys := _keys(field, value)):
        for item in value:
            key = {k: item.get(k, "TCP") for k in keys}
            at = (*path, "k:" + orjson.dumps(key, option=orjson.OPT_SORT_KEYS).decode())
            yield (*at, "."), None
            yield from _leaves(item, at, "")
    else:
        yield path, value


def _keys(field: str, items: list[Any]) -> tuple[str, ...]:
    if field == "ports" and items and isinstance(items[0], dict):
        return ("containerPort" if "containerPort" in items[0] else "port", "protocol")
    return KEYS.get(field, ())


def _tree(paths: set[Path]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for path in sorted(paths):
        node = tree
        for step in path:
            node = node.setdefault(step, {})
    return tree


def _get(value: Any, path: Path) -> Any:
    for step in path:
        if step == ".":
            return None
        value = _child(value, step)
        if value is None:
            return None
    return value


def _child(value: Any, step: str) -> Any:
    if step.startswith("f:"):
        return value.get(step[2:]) if isinstance(value, dict) else None
    key = orjson.loads(step[2:])
    return next((item for item in value if _matches(item, key)), None)


def _matches(item: dict[str, Any], key: dict[str, Any]) -> bool:
    return all(item.get(k, "TCP") == v for k, v in key.items())


def _set(root: Any, path: Path, value: Any) -> None:
    node = root
    for step, following in pairwise(path):
        found = _child(node, step)
        if found is None:
            found = [] if following.startswith("k:") else {}
            if step.startswith("f:"):
                node[step[2:]] = found
            else:
                found = orjson.loads(step[2:])
                node.append(found)
        node = found
    if path[-1] != ".":
        node[path[-1][2:]] = value


def _delete(root: Any, path: Path) -> None:
    *way, last = path
    if last == ".":
        *way, last = way
    nodes = [root]
    for step in way:
        if (child := _child(nodes[-1], step)) is None:
            return
        nodes.append(child)
    node = nodes[-1]
    if last.startswith("f:"):
        node.pop(last[2:], None)
    elif (item := _child(node, last)) is not None:
        node.remove(item)
    if not node and way:
        _delete(root, tuple(way))
