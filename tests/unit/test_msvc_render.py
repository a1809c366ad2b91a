"""`msvc render` prints what the operator makes: the golden cases are its cases."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.command import Msvc, service
from tests.golden.golden_cases import CASES, MODULES, read, shown

from microservice_operator.api.service import MicroService
from microservice_operator.settings import VERSION

PLATFORM = {"isolation": "Full", "gateway": {"name": "public", "namespace": "gateway"}}


@pytest.fixture
def msvc(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Msvc:
    return Msvc(tmp_path, capsys)


@pytest.mark.parametrize("path", CASES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_the_children_are_those_of_the_golden_case(msvc: Msvc, path: Path) -> None:
    case, module = read(path), path.parent.name
    file = msvc.write(service() | case.body)
    settings = msvc.write(case.platform, name="platform.yaml")
    answer = msvc("render", file, "--settings", settings, "-o", "json")
    if "error" in case.outcome:
        assert answer.status == 1
        assert case.outcome["error"] in answer.err
        return
    kind = MODULES[module].KIND.kind
    made = [child for child in answer.value["children"] if child["kind"] == kind]
    found = [shown(MicroService.parse(case.body), child, module) for child in made]
    assert _known(case.live, found) == _known(case.live, case.outcome["expect"])


def _known(live: list[Any], manifests: list[Any]) -> list[Any]:
    """Without what depends on the live object: an unfixed number of pods, pinned to a version."""
    if not live:
        return manifests
    plain = json.loads(json.dumps(manifests))
    for manifest in plain:
        manifest["spec"].pop("replicas", None)
        manifest["metadata"].pop("resourceVersion", None)
    return list(plain)


def test_people_get_yaml_that_kubectl_reads_with_version_and_settings_as_a_comment(
    msvc: Msvc,
) -> None:
    settings = msvc.write(PLATFORM, name="platform.yaml")
    answer = msvc("render", msvc.write(service()), "--settings", settings)
    comment, _, manifests = answer.out.partition("---\n")
    assert f"msvc {VERSION}" in comment
    assert f"settings of {settings}" in comment
    told = "\n".join(line.removeprefix("#   ") for line in comment.splitlines()[2:])
    assert yaml.safe_load(told)["gateway"]["name"] == "public"
    kinds = [child["kind"] for child in yaml.safe_load_all(manifests)]
    assert kinds == ["ServiceAccount", "Deployment", "Service", "NetworkPolicy"]
    assert (
        msvc("render", msvc.folder / "service.yaml", "--settings", settings, "-o", "yaml") == answer
    )


def test_programs_get_version_settings_and_children(msvc: Msvc) -> None:
    settings = msvc.write(PLATFORM, name="platform.yaml")
    value = msvc("render", msvc.write(service()), "--settings", settings, "-o", "json").value
    assert value["version"] == VERSION
    (used,) = value["settings"]
    assert (used["from"], used["isolation"]) == (str(settings), "Full")
    policy = next(child for child in value["children"] if child["kind"] == "NetworkPolicy")
    assert policy["spec"]["policyTypes"] == ["Ingress", "Egress"]


@pytest.mark.parametrize(("given", "option", "used"), [
    (None, None, "default"), ("shop", None, "shop"), (None, "shop", "shop"), ("a", "a", "a"),
])  # fmt: skip
def test_the_namespace_is_that_of_the_file_or_of_the_option(
    msvc: Msvc, given: str | None, option: str | None, used: str
) -> None:
    body = service(namespace=given) if given else service()
    more = ["--kubeconfig", "/nowhere", *(["-n", option] if option else [])]
    answer = msvc("render", msvc.write(body), "--settings", "/dev/null", "-o", "json", *more)
    assert {child["metadata"]["namespace"] for child in answer.value["children"]} == {used}


def test_a_file_for_another_namespace_is_not_rendered_into_this_one(msvc: Msvc) -> None:
    file = msvc.write(service(namespace="shop"))
    answer = msvc("render", file, "-n", "bank", "--settings", "/dev/null")
    assert (answer.status, "give -n shop" in answer.err) == (2, True)


@pytest.mark.parametrize(("settings", "told"), [
    ({"isolatoin": "Full"}, "isolatoin"), ({"isolation": "Half"}, "isolation"), ([], "settings"),
])  # fmt: skip
def test_settings_of_the_wrong_form_are_named(msvc: Msvc, settings: Any, told: str) -> None:
    file = msvc.write(settings, name="settings.yaml")
    answer = msvc("render", msvc.write(service()), "--settings", file)
    assert answer.status == (2 if settings else 0)
    assert not settings or told in answer.err


def test_settings_that_are_not_there_are_an_error_not_a_default(msvc: Msvc) -> None:
    answer = msvc("render", msvc.write(service()), "--settings", msvc.folder / "none.yaml")
    assert (answer.status, "none.yaml" in answer.err) == (2, True)


def test_without_settings_and_without_a_cluster_the_way_out_is_told(msvc: Msvc) -> None:
    answer = msvc("render", msvc.write(service(namespace="a")), "--kubeconfig", "/nowhere")
    assert answer.status == 3
    assert "KUBECONFIG" in answer.err


@pytest.mark.parametrize("missing", ["metadata", "spec"])
def test_half_an_object_is_an_error_that_says_what_to_run(msvc: Msvc, missing: str) -> None:
    body = service()
    del body[missing]
    answer = msvc("render", msvc.write(body), "--settings", "/dev/null")
    assert (answer.status, "msvc validate" in answer.err) == (2, True)
