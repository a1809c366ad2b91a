"""Every folder of e2e/cases is one case: what a user does to a MicroService and what follows."""

from pathlib import Path

import pytest
from e2e.case import Case, Cluster

FOLDERS = sorted(p for p in (Path(__file__).parent / "cases").iterdir() if p.is_dir())

pytestmark = [pytest.mark.nodes, pytest.mark.usefixtures("web_images")]


@pytest.mark.parametrize("folder", FOLDERS, ids=[p.name for p in FOLDERS])
def test_the_case_holds(folder: Path, namespace: str, cluster: Cluster) -> None:
    Case(folder, namespace, cluster).run()
