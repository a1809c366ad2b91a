"""Results: raw, a file for each day and commit, void runs too."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "results"


@dataclass(frozen=True, slots=True)
class Result:
    """The runs of one contestant in one scenario."""

    scenario: str
    n: int
    contestant: str
    version: str
    runs: Sequence[dict[str, Any]]
    machine: dict[str, Any]
    flags: dict[str, Any]
    commit: str

    @property
    def valid(self) -> list[dict[str, Any]]:
        return [run for run in self.runs if not run["void"]]


def read(file: Path) -> list[Result]:
    return [Result(**entry) for entry in json.loads(file.read_text())] if file.exists() else []


def newest(folder: Path = FOLDER, prefix: str = "") -> list[Result]:
    """Of each scenario, size and contestant the last file that has it: names go on with a date."""
    found: dict[tuple[str, int, str], Result] = {}
    for file in sorted(folder.glob(f"{prefix}[0-9]*.json")):
        for result in read(file):
            found[result.scenario, result.n, result.contestant] = result
    return list(found.values())


def add(file: Path, result: Result) -> None:
    """One more run, to those that the file has; replaced as a whole, so that a stop loses none."""
    known = read(file)
    same = [r for r in known if _place(r) == _place(result)]
    runs = [*(run for r in same for run in r.runs), *result.runs]
    merged = [*(r for r in known if r not in same), _with_runs(result, runs)]
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_suffix(".partial")
    partial.write_text(json.dumps([_entry(r) for r in merged], indent=1) + "\n")
    partial.rename(file)


def _place(result: Result) -> tuple[str, int, str]:
    return result.scenario, result.n, result.contestant


def _with_runs(result: Result, runs: Sequence[dict[str, Any]]) -> Result:
    return Result(**(_entry(result) | {"runs": runs}))


def _entry(result: Result) -> dict[str, Any]:
    return {name: getattr(result, name) for name in Result.__slots__}
