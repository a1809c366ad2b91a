"""A namespace as a value to compare: what differs from run to run is left out."""

import json
from collections.abc import Iterator, Mapping
from difflib import unified_diff
from pathlib import Path
from typing import Any

import yaml
from tests.api.world import World

from microservice_operator.api.kinds import MICROSERVICE, Kind
from microservice_operator.desired import KINDS

GOLDEN = Path(__file__).parent / "golden"
FLEETING = frozenset({"uid", "resourceVersion", "creationTimestamp", "lastTransitionTime"})
ASSIGNED = frozenset({"clusterIP", "clusterIPs"})  # by the API server, from its own range


def golden(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((GOLDEN / f"{name}.yaml").read_text())
    return found


def write_golden(name: str, content: dict[str, Any]) -> None:
    text = yaml.safe_dump(content, sort_keys=True, width=100)
    (GOLDEN / f"{name}.yaml").write_text(text)


def difference(expected: Any, found: Any) -> list[str]:
    """Lines of YAML that are missing or too many."""
    texts = [yaml.safe_dump(value, sort_keys=True).splitlines() for value in (expected, found)]
    return [line for line in unified_diff(*texts, n=0, lineterm="") if line[:2] not in ("--", "++")]


def picture(world: World) -> dict[str, Any]:
    """The children and the status of the MicroService `web`."""
    service = world.get(MICROSERVICE)
    children = {
        f"{kind.kind}/{live['metadata']['name']}": _child(live)
        for kind in KINDS.values()
        for live in world.list(kind)
        if _is_of(service, live)
    }
    text = json.dumps({"children": children, "status": _status(service.get("status") or {})})
    text = text.replace(service["metadata"]["uid"], "UID").replace(world.namespace, "NAMESPACE")
    named: dict[str, Any] = json.loads(text)
    return named


def without_status(live: Any) -> str:
    """Every byte of an object but what Kubernetes' own controllers say about it."""
    metadata = {k: v for k, v in live["metadata"].items() if k != "resourceVersion"}
    fields = [f for f in metadata.pop("managedFields") if f.get("subresource") != "status"]
    rest = {k: v for k, v in live.items() if k not in ("status", "metadata")}
    return json.dumps([metadata, fields, rest], sort_keys=True)


def bytes_of(world: World, kind: Kind, name: str) -> str:
    return without_status(world.get(kind, name))


def _is_of(service: Any, live: Any) -> bool:
    owners = live["metadata"].get("ownerReferences") or ()
    return any(owner["uid"] == service["metadata"]["uid"] for owner in owners)


def _child(live: Any) -> Any:
    fields = live["metadata"].pop("managedFields")
    owned = {
        f"{entry['manager']} ({entry['operation']})": sorted(_paths(entry["fieldsV1"]))
        for entry in fields
        if not entry.get("subresource")
    }
    return {"owned": owned, **_lasting({k: v for k, v in live.items() if k != "status"})}


def _status(status: Mapping[str, Any]) -> Any:
    """The autoscaler has its say as late as 15 s after its start, so without that condition."""
    conditions = [c for c in status.get("conditions", ()) if c["type"] != "AutoscalerReady"]
    return _lasting({**status, "conditions": conditions})


def _lasting(value: Any) -> Any:
    if isinstance(value, Mapping):
        dropped = FLEETING | ASSIGNED
        return {key: _lasting(inner) for key, inner in value.items() if key not in dropped}
    return [_lasting(item) for item in value] if isinstance(value, list) else value


def _paths(fields: Mapping[str, Any], above: str = "") -> Iterator[str]:
    """The leaves of fieldsV1, as in `spec.ports[{"port":80}].name`."""
    for key, inner in fields.items():
        if key == ".":
            yield above
        else:
            kind, _, name = key.partition(":")
            path = f"{above}.{name}" if kind == "f" else f"{above}[{name}]"
            yield from _paths(inner, path.lstrip(".")) if inner else [path.lstrip(".")]
