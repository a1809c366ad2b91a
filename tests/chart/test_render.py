"""What the charts render: valid, equal every time, restricted, and refused for bad values."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from charts.generate import RULES, child_rules
from pydantic import BaseModel
from tests.chart.rendered import (
    OPERATOR,
    REPOSITORY,
    SHOP,
    Helm,
    Render,
    chart,
    load_crd,
    of_kind,
    only,
    pod_specs,
)

from microservice_operator.api.platform import Platform
from microservice_operator.settings import Settings

SWITCHES = (
    "networkPolicy",
    "metrics.serviceMonitor",
    "metrics.alerts",
    "metrics.dashboard",
    "argocd",
    "policies.authors",
    "policies.hostnames",
    "policies.serviceAccounts",
)
EVERYTHING = ("--set", ",".join(f"{switch}.enabled=true" for switch in SWITCHES))
RESTRICTED = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
}


@pytest.mark.parametrize("name", [OPERATOR, SHOP])
def test_helm_lint_has_nothing_to_say(helm: Helm, name: str) -> None:
    done = helm("lint", "--strict", str(chart(name)))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(("name", "args"), [(OPERATOR, ()), (OPERATOR, EVERYTHING), (SHOP, ())])
def test_two_renders_are_equal_to_the_byte(helm: Helm, name: str, args: tuple[str, ...]) -> None:
    first, second = (helm("template", name, str(chart(name)), *args) for _ in range(2))
    assert first.returncode == 0, first.stderr
    assert first.stdout == second.stdout


@pytest.mark.parametrize("name", [OPERATOR, SHOP])
def test_the_chart_has_the_version_of_the_project(name: str) -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["version"]
    described = yaml.safe_load((chart(name) / "Chart.yaml").read_text())
    assert (described["version"], described["appVersion"]) == (project, project)


def test_the_generated_rights_are_up_to_date() -> None:
    assert RULES.read_text() == child_rules(), "run `make generate` and commit what it writes"


def test_the_operator_reads_the_settings_the_chart_writes(render: Render) -> None:
    manifests = render(OPERATOR, "--values", str(Path(__file__).parent / "full-values.yaml"))
    platform = Platform.model_validate(
        yaml.safe_load(only("ConfigMap", manifests)["data"]["platform.yaml"])
    )
    assert platform.gateway
    assert platform.gateway.url == "https://shop.example.com"
    assert unset(platform) == set()


def unset(model: BaseModel) -> set[str]:
    """Fields, at any depth, that no value sets: the chart would hide them from its users."""
    nested = [value for value in dict(model).values() if isinstance(value, BaseModel)]
    own = type(model).model_fields.keys() - model.model_fields_set
    return own.union(*map(unset, nested))


def test_the_environment_of_the_pod_is_what_the_operator_knows(render: Render) -> None:
    (pod,) = pod_specs(render(OPERATOR))
    (container,) = pod["containers"]
    ports = {each["name"]: each["containerPort"] for each in container["ports"]}
    (mount,) = (each for each in container["volumeMounts"] if each["name"] == "settings")
    known = Settings.model_fields
    assert {each["name"].lower() for each in container["env"]} <= known.keys()
    assert (ports["health"], ports["metrics"]) == (
        known["probe_port"].default,
        known["metrics_port"].default,
    )
    assert known["platform_file"].default == Path(mount["mountPath"]) / "platform.yaml"


def test_every_object_of_the_operator_chart_is_valid_kubernetes(render: Render) -> None:
    kubernetes_validate = pytest.importorskip("kubernetes_validate")
    for each in render(OPERATOR, *EVERYTHING):
        if not each["apiVersion"].startswith("monitoring.coreos.com"):
            kubernetes_validate.validate(each, "1.35", strict=True)


def test_the_operator_pod_is_restricted(render: Render) -> None:
    (pod,) = pod_specs(render(OPERATOR))
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] >= 1000
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not pod.keys() & {"hostNetwork", "hostPID", "hostIPC"}
    assert all(each.keys() <= {"name", "emptyDir", "configMap"} for each in pod["volumes"])
    for container in pod["containers"]:
        assert container["securityContext"] == RESTRICTED
        assert container["resources"]["limits"].keys() == {"memory"}
        assert container["resources"]["requests"].keys() == {"cpu", "memory"}


def test_two_replicas_prefer_different_nodes_and_a_drain_takes_one_at_a_time(
    render: Render,
) -> None:
    manifests = render(OPERATOR)
    deployment = only("Deployment", manifests)["spec"]
    (rule,) = deployment["template"]["spec"]["affinity"]["podAntiAffinity"][
        "preferredDuringSchedulingIgnoredDuringExecution"
    ]
    budget = only("PodDisruptionBudget", manifests)["spec"]
    assert deployment["replicas"] == 2
    assert rule["podAffinityTerm"]["labelSelector"] == deployment["selector"]
    assert (budget["maxUnavailable"], budget["selector"]) == (1, deployment["selector"])


def test_one_replica_has_no_budget_that_would_block_a_drain(render: Render) -> None:
    assert of_kind("PodDisruptionBudget", render(OPERATOR, "--set", "replicas=1")) == []


def test_the_crd_is_the_generated_one_and_survives_an_uninstall(render: Render) -> None:
    rendered = only("CustomResourceDefinition", render(OPERATOR))
    assert rendered == load_crd()
    assert rendered["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"


def test_the_crd_can_be_left_to_somebody_else(render: Render) -> None:
    assert (
        of_kind("CustomResourceDefinition", render(OPERATOR, "--set", "crds.install=false")) == []
    )


def test_an_image_is_named_by_tag_or_by_digest(render: Render) -> None:
    digest = "sha256:" + "0" * 64
    by_tag = ("--set", "image.repository=example.com/operator,image.tag=1.2")
    by_digest = (*by_tag, "--set", f"image.digest={digest}")
    for args, image in (
        (by_tag, "example.com/operator:1.2"),
        (by_digest, f"example.com/operator@{digest}"),
    ):
        (pod,) = pod_specs(render(OPERATOR, *args))
        assert [container["image"] for container in pod["containers"]] == [image]


def test_a_changed_setting_rolls_the_operator(render: Render) -> None:
    def stamp(*args: str) -> Any:
        pod = only("Deployment", render(OPERATOR, *args))["spec"]["template"]
        return pod["metadata"]["annotations"]

    assert stamp() == stamp()
    assert stamp() != stamp("--set", "platform.clusterDomain=other.local")


BAD_VALUES = [
    (OPERATOR, "replicas=0", "replicas"),
    (OPERATOR, "replica=2", "replica"),
    (OPERATOR, "image.digest=latest", "digest"),
    (OPERATOR, "image.repository=", "repository"),
    (OPERATOR, "platform.gateway.scheme=ftp", "scheme"),
    (OPERATOR, "platform.tracing.endpoint=collector:4318", "endpoint"),
    (OPERATOR, "platform.tracing.namespace=observability", "endpoint"),
    (OPERATOR, "platform.podMetadata.allowed={a b}", "allowed"),
    (OPERATOR, "platform.isolation=Open", "isolation"),
    (OPERATOR, "platform.gateway.name=public", "namespace"),
    (OPERATOR, "platform.gateway.hostname=x", "hostname"),
    (OPERATOR, "platform.defaultResources.requests.gpu=1", "gpu"),
    (OPERATOR, "logLevel=loud", "logLevel"),
    (SHOP, "image.tag=not a tag", "tag"),
    (SHOP, "image.repository=x", "repository"),
    (SHOP, "publicUrl=shop.example.com", "publicUrl"),
    (SHOP, "bank.storage=lots", "storage"),
    (SHOP, "logLevel=loud", "logLevel"),
]


@pytest.mark.parametrize(("name", "value", "named"), BAD_VALUES)
def test_a_bad_value_is_refused_by_name(helm: Helm, name: str, value: str, named: str) -> None:
    done = helm("template", name, str(chart(name)), "--set", value)
    assert done.returncode != 0
    assert re.search(rf"\b{named}\b", done.stderr)
