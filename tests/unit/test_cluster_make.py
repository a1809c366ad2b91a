"""The Makefile: one line for each target, and the same path for everybody."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MAKEFILE = (ROOT / "Makefile").read_text()
TARGETS = re.findall(r"^([a-z0-9-]+):", MAKEFILE, re.MULTILINE)


@pytest.fixture(scope="module")
def listed() -> dict[str, str]:
    """What `make help` says about each target."""
    done = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    lines = [line.split(maxsplit=1) for line in done.stdout.splitlines() if line.startswith("  ")]
    return {name: text for name, text in lines}


def test_help_lists_every_target_in_one_line(listed: dict[str, str]) -> None:
    assert sorted(listed) == sorted(TARGETS)
    assert all(len(text) <= 100 for text in listed.values())


def test_a_recipe_is_one_line() -> None:
    recipes = re.findall(r"^\S.*:.*\n((?:\t.*\n)+)", MAKEFILE, re.MULTILINE)
    assert [recipe for recipe in recipes if recipe.count("\n") > 1] == []


def test_continuous_integration_runs_what_everybody_runs() -> None:
    script = (ROOT / ".ci" / "run").read_text().splitlines()
    assert [line for line in script if line and not line.startswith("#")] == [
        "set -eu",
        'cd "$(dirname "$0")/.."',
        "exec make test",
    ]


def test_everything_that_can_be_tested_in_minutes_is_part_of_test() -> None:
    (everything,) = re.findall(r"^test: (.*?) ##", MAKEFILE, re.MULTILINE)
    apart = {"test-long"}
    assert {name for name in TARGETS if name.startswith("test-")} - apart <= set(everything.split())
