"""The rules of the house that a machine can check."""

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.golden.golden_cases import CASES, MODULES, read

from microservice_operator.api.spec import Spec
from microservice_operator.desired import BUILDERS

REPOSITORY = Path(__file__).parents[1]
PACKAGE = sorted((REPOSITORY / "operator" / "microservice_operator").rglob("*.py"))
RAW = Spec.model_json_schema(by_alias=True)
LONGEST_FILE, LONGEST_FUNCTION = 350, 40
VAGUE = {"utils", "util", "helpers", "helper", "manager", "base", "common", "misc"}

Field = tuple[str, str]  # model, field


def test_every_field_of_the_spec_is_set_in_some_golden_case() -> None:
    """So that none is accepted and ignored."""
    shown = {field for path in CASES for field in _fields(RAW, read(path).body["spec"], "Spec")}
    models = {"Spec": RAW, **{n: m for n, m in RAW["$defs"].items() if "properties" in m}}
    known = {(name, field) for name, model in models.items() for field in model["properties"]}
    assert not known - shown


def test_every_builder_has_a_golden_case_that_makes_something_and_one_that_does_not() -> None:
    always = {"deployment"}
    assert set(MODULES) == {path.parent.name for path in CASES}
    for module in MODULES:
        made = [
            bool(read(path).outcome.get("expect")) for path in CASES if path.parent.name == module
        ]
        assert any(made), module
        assert module in always or not all(made), module


def test_kinds_of_builders_differ() -> None:
    assert len({builder.KIND for builder in BUILDERS}) == len(BUILDERS)


@pytest.mark.parametrize("path", PACKAGE, ids=lambda path: path.stem)
def test_files_fit_one_sitting_and_functions_one_screen(path: Path) -> None:
    text = path.read_text()
    assert text.count("\n") <= LONGEST_FILE
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not _only_declares(node):
            assert (node.end_lineno or 0) - node.lineno < LONGEST_FUNCTION, node.name


def test_modules_are_named_after_the_one_thing_in_them() -> None:
    assert not [path for path in PACKAGE if path.stem in VAGUE]


def test_the_operator_folder_does_not_shadow_the_standard_library() -> None:
    assert not (REPOSITORY / "operator" / "__init__.py").exists()


def test_every_test_that_a_promise_names_exists() -> None:
    page = REPOSITORY / "docs" / "reliability.md"
    if not page.exists():
        pytest.skip("docs/reliability.md is not written yet")
    named = re.findall(r"`((?:tests|e2e)/[^`\s:]+)(?:::(\w+))?`", page.read_text())
    assert named
    for place, test in named:
        path = REPOSITORY / place
        assert path.exists(), place
        assert not test or f"def {test}(" in path.read_text(), f"{place}::{test}"


def _only_declares(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """A list of what there is may be longer than anything one has to follow."""
    return all(isinstance(step, ast.Assign | ast.AnnAssign | ast.Expr) for step in function.body)


def _fields(node: Mapping[str, Any], value: Any, model: str) -> Iterator[Field]:
    """The fields of the models that a piece of a spec sets, by model."""
    for name, inner in value.items():
        yield model, name
        yield from _below(node["properties"][name], inner)


def _below(node: Mapping[str, Any], value: Any) -> Iterator[Field]:
    options = [option for option in node.get("anyOf", ()) if option != {"type": "null"}]
    if options:
        yield from _below(options[0], value)
    elif "$ref" in node:
        name = node["$ref"].rpartition("/")[2]
        yield from _fields(RAW["$defs"][name], value, name)
    elif isinstance(value, list):
        for item in value:
            yield from _below(node["items"], item)
