"""The cases that disturb others, as their `alone.txt` says: never beside test_cases.py."""

from pathlib import Path

import pytest
from e2e.case import Case, Cluster

FOLDERS = sorted(p.parent for p in (Path(__file__).parent / "cases").glob("*/alone.txt"))

pytestmark = [pytest.mark.nodes, pytest.mark.usefixtures("web_images")]


@pytest.mark.parametrize("folder", FOLDERS, ids=[p.name for p in FOLDERS])
def test_the_case_holds_alone(
    folder: Path, namespace: str, cluster: Cluster, tmp_path: Path
) -> None:
    Case(folder, namespace, cluster, scratch=tmp_path).run()
