"""`msvc validate` says what the API server and the operator will say, without either."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from tests.command import Msvc, service
from tests.rule_rows import BOUNDS, METADATA, NAMES, NULLS, ROWS, Row
from tests.specs import specs

from microservice_operator.api.crd import crd
from msvc.cel import RULES
from msvc.verdict import verdict

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def msvc(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Msvc:
    return Msvc(tmp_path, capsys)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.message)
def test_a_rule_refuses_and_accepts(row: Row) -> None:
    assert verdict(service(row.accepted)) == []
    assert any(found.message.startswith(row.message) for found in verdict(service(row.refused)))


@pytest.mark.parametrize(("spec", "where"), BOUNDS, ids=lambda part: str(part)[:60])
def test_bounds_are_checked_and_the_path_is_told(spec: Any, where: str) -> None:
    found = verdict(service(spec))
    assert found
    assert where in found[0].path


@pytest.mark.parametrize("spec", NULLS, ids=str)
def test_a_null_is_as_if_it_was_not_written(spec: Any) -> None:
    assert verdict(service(spec, labels=None)) == []


@pytest.mark.parametrize(("name", "accepted"), NAMES)
def test_names_leave_room_for_the_children(name: str, accepted: bool) -> None:
    assert (verdict(service(name=name)) == []) is accepted


@pytest.mark.parametrize(("metadata", "where"), METADATA, ids=lambda part: str(part)[:60])
def test_metadata_is_checked_as_well(metadata: Any, where: str) -> None:
    assert where in [found.path for found in verdict(service(**metadata))]


def test_an_init_container_cannot_take_the_main_containers_name() -> None:
    (found,) = verdict(service({"initContainers": [{"name": "orders", "image": "x"}]}))
    assert "rename the initContainer" in found.message


def test_a_generated_name_counts_with_what_is_added() -> None:
    short, long = service(generateName="orders-"), service(generateName="x" * 42)
    del short["metadata"]["name"], long["metadata"]["name"]
    assert verdict(short) == []
    assert "at most 46" in verdict(long)[0].message


def test_every_rule_of_the_crd_is_among_those_that_were_evaluated() -> None:
    """By its message, which is told when it is broken."""
    rows = [row.message for row in ROWS]
    for rule in _rules(crd()):
        named = any(rule["message"].startswith(message) for message in rows)
        assert named or rule["message"].startswith(("metadata.name", "the main container"))


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(specs())
def test_what_the_models_call_legal_is_valid(spec: dict[str, Any]) -> None:
    assert verdict(service(spec)) == []


@pytest.mark.parametrize("sample", sorted((REPOSITORY / "crds" / "samples").iterdir()), ids=str)
def test_the_samples_are_valid(msvc: Msvc, sample: Path) -> None:
    assert msvc("validate", sample).status == 0


def test_a_finding_is_told_with_file_line_and_field(msvc: Msvc) -> None:
    file = msvc.folder / "orders.yaml"
    file.write_text(yaml.safe_dump({"a": "skipped"}) + "---\n" + yaml.safe_dump(service()))
    file.write_text(file.read_text() + "  replicas: many\n  repilcas: 1\n")
    answer = msvc("validate", file)
    assert answer.status == 1
    assert answer.out.splitlines() == [
        f"{file}:10: orders: .spec.repilcas is no field of a MicroService; did you mean replicas?",
        f"{file}:9: orders: .spec.replicas must be of type integer",
    ]


def test_the_operators_own_sentence_is_told_where_it_has_one() -> None:
    (found,) = verdict(service({"availability": {"maxUnavailable": "some"}}))
    assert found.message == "write a number of pods such as 1, or a percentage such as 25%"


def test_programs_get_json(msvc: Msvc) -> None:
    file = msvc.write(service({"replicas": -1}), service())
    bad, good = msvc("validate", "-o", "json", file).value
    problem = {"line": 7, "path": ".spec.replicas", "message": "must be at least 0"}
    assert bad == {"file": str(file), "name": "orders", "valid": False, "problems": [problem]}
    assert good["valid"]


def test_a_secret_value_is_never_told(msvc: Msvc) -> None:
    spec = {"env": [{"name": "A", "value": "hunter2" * 2000}, {"name": "B", "value": 4711}]}
    answer = msvc("validate", msvc.write(service(spec)))
    assert answer.status == 1
    assert "hunter2" not in answer.out
    assert "4711" not in answer.out


def test_yaml_is_read_as_kubernetes_reads_it(msvc: Msvc) -> None:
    """A time is a string, 12:30 is no number, and every key is a string."""
    file = msvc.folder / "orders.yaml"
    values = "{name: A, value: 12:30}, {name: B, value: 2026-01-01}"
    text = yaml.safe_dump(service()) + f"  env: [{values}]\n  nodeSelector: {{1: a}}\n"
    file.write_text(text)
    assert msvc("validate", file).status == 0


def test_a_key_that_is_there_twice_is_refused(msvc: Msvc) -> None:
    file = msvc.folder / "orders.yaml"
    file.write_text(yaml.safe_dump(service()) + "  image: other\n")
    answer = msvc("validate", file)
    assert (answer.status, "image is there twice" in answer.err) == (2, True)


@pytest.mark.parametrize("text", ["a: [", "a: b: c", "\x00"])
def test_a_file_that_is_no_yaml_is_named(msvc: Msvc, text: str) -> None:
    file = msvc.folder / "broken.yaml"
    file.write_text(text)
    answer = msvc("validate", file)
    assert (answer.status, f"{file} is no YAML" in answer.err) == (2, True)


def test_lists_as_kubectl_prints_them_are_taken_apart(msvc: Msvc) -> None:
    file = msvc.write({"kind": "List", "items": [service(), service({"replicas": -1})]})
    answer = msvc("validate", file)
    assert answer.status == 1
    assert f"{file}:15: orders: .spec.replicas" in answer.out


@pytest.mark.parametrize("body", [[], "text", 1, {"kind": "MicroService"}, {}])
def test_anything_else_is_skipped(msvc: Msvc, body: Any) -> None:
    answer = msvc("validate", msvc.write(body))
    assert (answer.status, answer.out) == (0, "no MicroService in any of these files\n")


@pytest.mark.parametrize("part", ["metadata", "spec", "image"])
def test_what_is_missing_is_told(part: str) -> None:
    body = service()
    del (body["spec"] if part == "image" else body)[part]
    assert [found.message for found in verdict(body)] == ["is missing; it is required"]


@pytest.mark.parametrize("wrong", [None, 7, "x", []])
@pytest.mark.parametrize("part", ["metadata", "spec"])
def test_a_part_of_the_wrong_type_is_a_finding_not_a_crash(part: str, wrong: Any) -> None:
    assert verdict({**service(), part: wrong})[0].path == f".{part}"


def test_an_older_version_of_the_api_is_refused() -> None:
    body = service() | {"apiVersion": "microservice.dev/v1alpha0"}
    assert verdict(body)[0].message == "must be microservice.dev/v1alpha1"


def _rules(node: Any) -> list[dict[str, str]]:
    if isinstance(node, list):
        return [rule for item in node for rule in _rules(item)]
    if not isinstance(node, dict):
        return []
    here: list[dict[str, str]] = list(node.get(RULES, ()))
    return here + [rule for value in node.values() for rule in _rules(value)]
