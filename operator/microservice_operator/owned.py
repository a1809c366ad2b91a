"""The part of a live object that our field manager owns, and its digest.

`metadata.managedFields` lists what each manager applied (structured-merge-diff's fieldsV1): `f:`
is a field, `k:` an item of a list with keys, `v:` an item of a set, an empty value the whole of it.
Cut along it, a live object shows what became of our manifest, and nothing of anybody else's.
"""

from collections.abc import Iterator, Mapping
from hashlib import blake2b
from typing import Any

import orjson

from microservice_operator.observed import Manifest

Fields = Mapping[str, Any]
# Of metadata; managedFields never lists them.
UNMANAGED = frozenset({"name", "namespace", "uid", "resourceVersion"})


def digest(live: Mapping[str, Any], manager: str) -> str:
    """Equal to `wanted(manifest)` while the object is as `manager` applied it."""
    return _digest(cut(live, manager))


def wanted(manifest: Manifest) -> str:
    body = {key: value for key, value in manifest.items() if key not in ("apiVersion", "kind")}
    metadata = {k: v for k, v in manifest["metadata"].items() if k not in UNMANAGED}
    return _digest({**body, "metadata": metadata})


def cut(live: Mapping[str, Any], manager: str) -> Any:
    """What `manager` owns by server-side apply, in the shape of a manifest."""
    return _cut(live, _fields(live, manager))


def owns(live: Mapping[str, Any], manager: str, *path: str) -> bool:
    """Whether `manager` owns the field at `path`, such as ("spec", "replicas")."""
    fields: Fields | None = _fields(live, manager)
    for step in path:
        fields = fields.get(f"f:{step}") if fields is not None else None
    return fields is not None


def last_writer(live: Mapping[str, Any], *, but: str = "") -> str:
    """Who else than `but` last wrote the object itself, not only its status; "" for nobody."""
    entries = live["metadata"].get("managedFields") or ()
    others = [e for e in entries if e.get("subresource") != "status" and e.get("manager") != but]
    latest = max(others, key=lambda entry: str(entry.get("time", "")), default=None)
    return str(latest.get("manager", "")) if latest else ""


def _fields(live: Mapping[str, Any], manager: str) -> Fields:
    for entry in live["metadata"].get("managedFields") or ():
        applied = entry.get("operation") == "Apply" and not entry.get("subresource")
        if applied and entry.get("manager") == manager:
            return entry.get("fieldsV1") or {".": {}}
    return {".": {}}


def _cut(value: Any, fields: Fields) -> Any:
    if not fields:
        return value
    if isinstance(value, list):
        return list(_items(value, fields))
    if not isinstance(value, Mapping):
        return value
    owned = ((path[2:], inner) for path, inner in fields.items() if path.startswith("f:"))
    return {name: _cut(value[name], inner) for name, inner in owned if name in value}


def _items(values: list[Any], fields: Fields) -> Iterator[Any]:
    """In live order: a reordered list is a difference too."""
    keyed = [(orjson.loads(p[2:]), inner) for p, inner in fields.items() if p.startswith("k:")]
    members = [orjson.loads(path[2:]) for path in fields if path.startswith("v:")]
    for value in values:
        if value in members:
            yield value
        for key, inner in keyed:
            if isinstance(value, Mapping) and all(value.get(k) == v for k, v in key.items()):
                yield _cut(value, inner)


def _digest(value: Any) -> str:
    return blake2b(orjson.dumps(value, option=orjson.OPT_SORT_KEYS), digest_size=16).hexdigest()
