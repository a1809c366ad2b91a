"""The rules of the house that a machine can check."""

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from tests.golden.golden_cases import CASES, MODULES, read

from microservice_operator.api.spec import Spec
from microservice_operator.desired import BUILDERS

REPOSITORY = Path(__file__).parents[1]
PACKAGE = sorted((REPOSITORY / "operator").rglob("*.py"))
RAW = Spec.model_json_schema(by_alias=True)
LONGEST_FILE, LONGEST_FUNCTION = 350, 40
VAGUE = {"utils", "util", "helpers", "helper", "manager", "base", "common", "misc"}

Field = tuple[str, str]  # model, field
PROMISES, FAILURES = 30, 54
TOP = (REPOSITORY / "README.md", REPOSITORY / "CONTRIBUTING.md")
PAGES = (*TOP, *sorted((REPOSITORY / "docs").rglob("*.md")))


class Row(NamedTuple):
    """A line of a table of docs/reliability.md."""

    table: str
    cells: tuple[str, ...]

    @property
    def number(self) -> int:
        return int(self.cells[0])

    @property
    def shown_by(self) -> str:
        return self.cells[-1]


def _rows() -> Iterator[Row]:
    for part in (REPOSITORY / "docs" / "reliability.md").read_text().split("\n## ")[1:]:
        for line in re.findall(r"^\| (\d+ \|.*) \|$", part, re.MULTILINE):
            yield Row(part.partition("\n")[0], tuple(line.split(" | ")))


ROWS = tuple(_rows())


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


@pytest.mark.parametrize("path", PACKAGE, ids=lambda path: f"{path.parent.name}/{path.stem}")
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


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.table} {row.number}")
def test_every_promise_and_every_failure_names_a_test(row: Row) -> None:
    """Or says why it cannot, and which test comes nearest."""
    assert _named_tests(row.shown_by), f"{row.table} {row.number} names no test"
    told = re.match(r"\*(?:later|not here)\*: .{10,}?Nearest: `", row.shown_by)
    assert row.shown_by.startswith("`") or told, "say why it cannot be shown, and what is nearest"


def test_no_promise_and_no_failure_is_left_out() -> None:
    for table, rows in (("Promises", PROMISES), ("Failures", FAILURES)):
        numbers = [row.number for row in ROWS if row.table == table]
        assert numbers == list(range(1, rows + 1)), table


def test_a_failure_belongs_to_promises_that_exist() -> None:
    for row in ROWS:
        if row.table == "Failures" and row.cells[3] != "-":
            assert {int(number) for number in row.cells[3].split(",")} <= set(
                range(1, PROMISES + 1)
            )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_every_link_between_pages_leads_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", _prose(page)):
        if "://" not in link:
            file, _, anchor = link.partition("#")
            target = page.parent / file if file else page
            assert target.exists(), link
            assert not anchor or anchor in _anchors(target), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_every_test_that_a_page_names_exists(page: Path) -> None:
    for place, test in _named_tests(page.read_text()):
        path = REPOSITORY / place
        assert path.is_file() or any(path.iterdir()), place
        assert not test or re.search(rf"def {test}\(", path.read_text()), f"{place}::{test}"


def _named_tests(text: str) -> list[tuple[str, str]]:
    return re.findall(r"`((?:tests|e2e)/[^`<\s:]+)(?:::(\w+))?`", text)


def _prose(page: Path) -> str:
    return re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)


def _anchors(page: Path) -> set[str]:
    titles = re.findall(r"^#+ (.*)$", _prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


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
