"""What the chart gives to Argo CD and Flux."""

import re
from typing import Any

import pytest
import yaml
from tests.argocd import FOLDER
from tests.chart.rendered import OPERATOR, REPOSITORY, Helm, Manifest, Render, chart, of_kind

ON = ("--set", "argocd.enabled=true")
KIND = "microservice.dev_MicroService"
PAGE = (REPOSITORY / "docs" / "guides" / "gitops.md").read_text()


def for_argo_cd(manifests: list[Manifest]) -> list[Manifest]:
    maps = of_kind("ConfigMap", manifests)
    return [each for each in maps if each["metadata"]["name"] == f"{OPERATOR}-argocd"]


def test_argo_cd_gets_the_scripts_that_are_tested(render: Render) -> None:
    (found,) = for_argo_cd(render(OPERATOR, *ON))
    data = found["data"]
    assert data.keys() == {
        f"resource.customizations.{part}.{KIND}" for part in ("health", "actions")
    }
    assert lines(data[f"resource.customizations.health.{KIND}"]) == script("health.lua")
    actions = yaml.safe_load(data[f"resource.customizations.actions.{KIND}"])
    assert lines(actions["discovery.lua"]) == script("actions/discovery.lua")
    assert {each["name"]: lines(each["action.lua"]) for each in actions["definitions"]} == {
        path.stem: lines(path.read_text())
        for path in (FOLDER / "actions").glob("*.lua")
        if path.stem != "discovery"
    }


def test_it_is_there_only_where_it_is_asked_for(render: Render) -> None:
    assert for_argo_cd(render(OPERATOR)) == []


def test_notes_and_page_give_flux_the_same_expressions(helm: Helm) -> None:
    (shown,) = re.findall(r"```yaml\n(# of a Kustomization.*?)```", PAGE, re.DOTALL)
    (expected,) = yaml.safe_load(shown)["spec"]["healthCheckExprs"]
    text = notes(helm)
    (noted,) = yaml.safe_load(text[text.index("  - apiVersion: mic") :].partition("\n\n")[0])
    assert noted == expected
    for name, kind in (("current", "Ready"), ("failed", "Stalled")):
        assert f"c.type == '{kind}'" in expected[name]
        assert "c.observedGeneration == metadata.generation" in expected[name]
        assert ".exists(" in expected[name]  # all() of an empty list would be true


@pytest.mark.parametrize(
    ("args", "told"),
    [
        ((), "set argocd.enabled"),
        (ON, "configmap argocd-cm"),
        (("--set", "crds.install=false"), "The CRD is yours"),
        ((), "No gateway is set"),
        (("--set", "policies.authors.enabled=true"), 'policy "authors" is on (Deny)'),
    ],
)
def test_the_notes_say_what_is_left_to_do(helm: Helm, args: tuple[str, ...], told: str) -> None:
    assert told in notes(helm, *args)


def notes(helm: Helm, *args: str) -> str:
    client = ("--dry-run=client", "--namespace", "operators")
    done = helm("install", OPERATOR, str(chart(OPERATOR)), *client, *args)
    assert done.returncode == 0, done.stderr
    return done.stdout.partition("\nNOTES:\n")[2]


def script(name: str) -> list[str]:
    return lines((FOLDER / name).read_text())


def lines(text: Any) -> list[str]:
    return str(text).strip().splitlines()
