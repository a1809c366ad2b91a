"""`msvc` as its users call it, in this process."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from microservice_operator.api.kinds import MICROSERVICE
from msvc.__main__ import main


@dataclass(frozen=True)
class Answer:
    status: int
    out: str
    err: str

    @property
    def value(self) -> Any:
        return json.loads(self.out)


class Msvc:
    def __init__(self, folder: Path, streams: "pytest.CaptureFixture[str]") -> None:
        self.folder = folder
        self._streams = streams

    def __call__(self, *arguments: str | Path) -> Answer:
        """With the exit status of argparse, too."""
        try:
            status = main([str(argument) for argument in arguments])
        except SystemExit as end:
            status = int(end.code or 0)
        streams = self._streams.readouterr()
        return Answer(status, streams.out, streams.err)

    def write(self, *bodies: Any, name: str = "service.yaml") -> Path:
        path = self.folder / name
        path.write_text(yaml.safe_dump_all(bodies, sort_keys=False))
        return path


def service(spec: dict[str, Any] | None = None, **metadata: Any) -> dict[str, Any]:
    return {
        "apiVersion": MICROSERVICE.api_version,
        "kind": MICROSERVICE.kind,
        "metadata": {"name": "orders", **metadata},
        "spec": {"image": "shop/orders:1", **(spec or {})},
    }
