"""What README and guides show is what the operator takes."""

import re
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from tests.chart.rendered import REPOSITORY, live, load_all

from microservice_operator.api.service import MicroService

SAMPLES = sorted((REPOSITORY / "crds" / "samples").glob("*.yaml"))
PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs" / "guides").glob("*.md"))]


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_a_sample_is_valid(schema: Draft202012Validator, path: Path) -> None:
    for sample in load_all(path.read_text()):
        schema.validate(sample["spec"])
        assert MicroService.parse(live(sample)).name == sample["metadata"]["name"]


def test_a_whole_object_on_a_page_is_a_sample_word_for_word() -> None:
    samples = [path.read_text() for path in SAMPLES]
    shown = [
        block
        for page in PAGES
        for block in re.findall(r"```yaml\n(.*?)```", page.read_text(), re.DOTALL)
        if block.startswith("apiVersion: microservice.dev/")
    ]
    assert shown
    assert all(block in samples for block in shown)
