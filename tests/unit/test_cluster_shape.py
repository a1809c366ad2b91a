"""What a cluster is made of, and what it takes from the machine."""

import re
import socket
from pathlib import Path

import pytest
import yaml
from e2e.cluster import cluster as clusters
from e2e.cluster import lifecycle, node, parts, ports, versions
from e2e.cluster.errors import Problem
from e2e.cluster.golang import MODULES
from e2e.cluster.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(cache=tmp_path / "cache", run=tmp_path / "run", install=False)


@pytest.mark.parametrize(("name", "count"), [("demo", 2), ("api", 1)])
def test_the_nodes_of_a_cluster(settings: Settings, name: str, count: int) -> None:
    config = clusters.config(clusters.named(settings, name), gateway_port=8080)
    assert len(config["nodes"]) == count  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["demo", "api"])
def test_a_cluster_listens_on_the_loopback_address_alone(settings: Settings, name: str) -> None:
    text = yaml.safe_dump(clusters.config(clusters.named(settings, name), gateway_port=8081))
    assert set(re.findall(r"(?:apiServerAddress|listenAddress): (\S+)", text)) == {"127.0.0.1"}


def test_the_gateways_port_does_not_make_another_cluster(settings: Settings) -> None:
    """A cluster that had to take the next port is found again when the first is free."""
    demo = clusters.named(settings, "demo")
    identity = demo.identity()
    with socket.create_server((ports.LOOPBACK, 0)):
        assert demo.identity() == identity


def test_an_unknown_cluster_is_refused_with_the_known_ones(settings: Settings) -> None:
    with pytest.raises(Problem) as problem:
        clusters.named(settings, "prod")
    assert problem.value.remedy == f"take {' or '.join(clusters.SHAPES)}"


def test_a_taken_port_is_said_with_its_owner_and_the_next_is_taken(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server((ports.LOOPBACK, 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setattr(lifecycle, "FIRST_GATEWAY_PORT", port)
        assert lifecycle.gateway_port() > port
    said = capsys.readouterr().err
    assert f"127.0.0.1:{port} is taken by" in said
    assert "pid" in said


def test_the_version_of_kubernetes_is_that_of_its_module() -> None:
    module = (MODULES / "kubernetes" / "go.mod").read_text()
    assert f"k8s.io/kubernetes {versions.KUBERNETES} " in module


def test_the_node_names_the_images_that_its_manifests_use() -> None:
    manifests = "".join(path.read_text() for path in (node.FILES / "node").rglob("*.yaml"))
    packed = {node.HELPER, node.PROVISIONER, node.POLICY_ENGINE, node.POD_NETWORK}
    used = re.findall(r'(?:image: |--helper-image, )"?([^\s",}]+)', manifests)
    assert set(used) == packed


@pytest.mark.parametrize("part", [*parts.WITH_THE_CLUSTER, *parts.DATA_STORES])
def test_a_platform_part_runs_restricted_on_the_node_that_stays(part: parts.Part) -> None:
    kind, name = part.workload.split("/")
    text = (parts.MANIFESTS / f"{part.name}.yaml").read_text()
    (workload,) = [
        document
        for document in yaml.safe_load_all(text)
        if document["kind"].lower() == kind and document["metadata"]["name"] == name
    ]
    pod = workload["spec"]["template"]["spec"]
    assert workload["metadata"]["namespace"] == part.namespace
    assert pod["nodeSelector"] == {"node-role.kubernetes.io/control-plane": ""}
    assert pod["securityContext"]["runAsNonRoot"] is True
    for container in pod["containers"]:
        context = container["securityContext"]
        assert context["readOnlyRootFilesystem"] is True
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert container["imagePullPolicy"] == "IfNotPresent"
        assert {"readinessProbe", "livenessProbe", "resources"} <= container.keys()
