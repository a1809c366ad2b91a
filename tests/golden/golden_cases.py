"""The files of the golden cases, read and rewritten."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from microservice_operator.desired import BUILDERS

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


def rewrite(path: Path, outcome: dict[str, Any]) -> None:
    """`given`, with its comments, stays as it is written."""
    lines = path.read_text().splitlines()
    ends = [i for i, line in enumerate(lines) if line.startswith(("expect:", "error:"))]
    given = "\n".join(lines[: ends[0]] if ends else lines).rstrip()
    path.write_text(f"{given}\n{yaml.dump(outcome, Dumper=_Plain, sort_keys=False, width=100)}")
