"""The benchmark of the shop as typed: a part of its trial, on a machine that may be busy."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from benchmarks import results
from benchmarks.shop.run import PREFIX

ROOT = Path(__file__).parents[2]


@pytest.mark.long
def test_a_trial_leaves_results_of_both_shops_and_a_clean_audit(tmp_path: Path) -> None:
    words = ("shop", "--quick", "--only=start,checkouts,kill", "--allow-noise", f"--out={tmp_path}")
    done = subprocess.run([sys.executable, "-m", "benchmarks", *words], cwd=ROOT, timeout=1800)
    assert done.returncode == 0
    found = {(r.scenario, r.n, r.contestant): r.runs for r in results.newest(tmp_path, PREFIX)}
    assert {name for name, _, _ in found} == {"start", "checkouts", "kill catalog"}
    audits = [run["audit"] for runs in found.values() for run in runs if "audit" in run]
    assert audits == ["clean"] * 4
    (killed,) = found["kill catalog", 10, "postgresql-nats"]
    assert killed["orders_stuck"] == 0
    assert killed["progress_s"] is not None
