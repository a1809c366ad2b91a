"""A folder a builder, a file a case: given a MicroService, expect these objects.

`make golden` (GOLDEN_UPDATE=1) rewrites what is expected; read the diff before you keep it.
"""

import os
from pathlib import Path
from typing import Any

import pytest
from tests.golden.golden_cases import CASES, MODULES, Case, read, rewrite, shown

from microservice_operator.api.platform import Platform
from microservice_operator.api.service import MicroService
from microservice_operator.desired import record
from microservice_operator.errors import InvalidSpec
from microservice_operator.observed import Observed


@pytest.mark.parametrize("path", CASES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_the_children_are_as_the_case_shows(path: Path) -> None:
    case = read(path)
    outcome = _outcome(case, path.parent.name)
    if os.environ.get("GOLDEN_UPDATE"):
        rewrite(path, outcome)
    else:
        assert outcome == case.outcome


def _outcome(case: Case, module: str) -> dict[str, Any]:
    try:
        service = MicroService.parse(case.body)
    except InvalidSpec as error:
        return {"error": str(error)}
    platform = Platform.model_validate(case.platform)
    builder = MODULES[module]
    live = [record(builder.KIND, body) for body in case.live]
    seen = Observed(now="2026-01-01T00:00:00Z", children={r.ref: r for r in live})
    manifests = builder.build(service, seen, platform)
    return {"expect": [shown(service, manifest, module) for manifest in manifests]}
