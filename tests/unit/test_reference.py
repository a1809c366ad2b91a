"""The references made from the code are up to date and complete."""

import json
import logging
import re

import pytest
from docs.reference.generate import HERE, PACKAGE, files, main
from prometheus_client.parser import text_string_to_metric_families

from microservice_operator.logs import Json
from microservice_operator.metrics import Metrics


def test_the_committed_references_are_what_the_code_says(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["--check"]) == 0, capsys.readouterr().err


def test_every_metric_has_its_line() -> None:
    page = (HERE / "metrics.md").read_text()
    families = text_string_to_metric_families(Metrics().text())
    names = {f.name for f in families if not f.name.endswith("_created")}
    assert len(names) > 15
    assert not [name for name in names if f"`{name}" not in page]


def test_every_log_line_of_the_operator_is_there() -> None:
    rows = re.findall(r"^\| [a-z, ]+ \| `.+` \| (\w+) \|$", files()[HERE / "logs.md"], re.MULTILINE)
    calls = [
        path.stem
        for path in sorted(PACKAGE.rglob("*.py"))
        for _ in re.findall(r"\blog\.(?:debug|info|warning|error|exception)\(", path.read_text())
    ]
    assert rows == calls


def test_a_log_line_has_the_fields_of_the_page() -> None:
    page = files()[HERE / "logs.md"]
    try:
        raise ValueError
    except ValueError as error:
        record = logging.LogRecord(
            "x", logging.INFO, __file__, 1, "m", (), (type(error), error, error.__traceback__)
        )
    named = re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)
    assert named == list(json.loads(Json().format(record)))
