"""The files of the golden cases, read and rewritten."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from microservice_operator import names
from microservice_operator.api.service import MicroService
from microservice_operator.desired import BUILDERS
from microservice_operator.observed import Manifest

CASES = sorted(Path(__file__).parent.glob("*/*.yaml"))
MODULES = {builder.__name__.rpartition(".")[2]: builder for builder in BUILDERS}  # type: ignore[attr-defined]
METADATA = {"name": "orders", "namespace": "shop", "uid": "uid-orders", "resourceVersion": "7"}


@dataclass(frozen=True)
class Case:
    body: dict[str, Any]
    platform: dict[str, Any]
    live: list[dict[str, Any]]
    outcome: dict[str, Any]  # {"expect": objects} or {"error": message}


class _Plain(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def read(path: Path) -> Case:
    content = yaml.safe_load(path.read_text())
    given, service = content["given"], content["given"]["service"]
    return Case(
        body=service | {"metadata": METADATA | service.get("metadata", {})},
        platform=given.get("platform", {}),
        live=given.get("live", []),
        outcome={key: value for key, value in content.items() if key != "given"},
    )


def shown(service: MicroService, manifest: Manifest, module: str) -> Manifest:
    """What every child carries is shown in full once, in the cases of the ServiceAccount."""
    if module == "account":
        return _plain(manifest)
    metadata = dict(manifest["metadata"])
    assert metadata.pop("namespace") == service.namespace
    assert metadata.pop("ownerReferences") == [names.owner(service)]
    stamped, given = names.labels(service), metadata.pop("labels")
    assert given.items() >= stamped.items()
    more = {key: value for key, value in given.items() if key not in stamped}
    marked = {**metadata, "$stamped": True, **({"labels": more} if more else {})}
    return _plain({**manifest, "metadata": marked})


def _plain(manifest: Manifest) -> Manifest:
    """As YAML shows it: without shared parts."""
    plain: Manifest = yaml.safe_load(yaml.safe_dump(manifest))
    return plain


def rewrite(path: Path, outcome: dict[str, Any]) -> None:
    """`given`, with its comments, stays as it is written."""
    lines = path.read_text().splitlines()
    ends = [i for i, line in enumerate(lines) if line.startswith(("expect:", "error:"))]
    given = "\n".join(lines[: ends[0]] if ends else lines).rstrip()
    path.write_text(f"{given}\n{yaml.dump(outcome, Dumper=_Plain, sort_keys=False, width=100)}")
