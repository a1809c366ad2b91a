"""Every folder of e2e/cases is one case: what a user does to a MicroService and what follows.

They run side by side (`-n 4`), each in a namespace of its own; those with a file `alone.txt`,
which says why they disturb the others, are in test_cases_alone.py."""

from pathlib import Path

import pytest
from e2e.case import Case, Cluster

CASES = Path(__file__).parent / "cases"
FOLDERS = sorted(p for p in CASES.iterdir() if p.is_dir() and not (p / "alone.txt").exists())

pytestmark = [pytest.mark.nodes, pytest.mark.usefixtures("web_images")]


@pytest.mark.parametrize("folder", FOLDERS, ids=[p.name for p in FOLDERS])
def test_the_case_holds(folder: Path, namespace: str, cluster: Cluster, tmp_path: Path) -> None:
    Case(folder, namespace, cluster, scratch=tmp_path).run()
