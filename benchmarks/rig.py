"""The rig: a fresh cluster with simulated nodes, and one identity for each who talks to it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from benchmarks.load import NAMESPACE, WARM_UP
from benchmarks.process import Process
from e2e.cluster import audited, command, engine, golang, lifecycle, programs, tools, versions
from e2e.cluster import cluster as clusters
from e2e.cluster.cluster import Cluster
from e2e.cluster.errors import Problem
from e2e.cluster.progress import progress
from e2e.cluster.settings import REPOSITORY, Settings

SYSTEM = "bench-system"
OURS = "microservice-operator"  # as the chart names the account
# What each may do is not measured; who asks is. None of them is in system:masters, whose requests
# would be exempt from priority and fairness.
ACCOUNTS = ("floor", "kro", "load", "observer", "gateway", "kwok")
NODES = 10
KWOK = {
    "kind": "KwokConfiguration",
    "apiVersion": "config.kwok.x-k8s.io/v1alpha1",
    "options": {
        "manageNodesWithLabelSelector": "type=kwok",
        "nodeIP": "10.0.0.1",
        # As shipped it plays four at a time, which would cap how soon services are ready.
        "podPlayStageParallelism": 64,
        "nodePlayStageParallelism": 8,
        "nodeLeaseDurationSeconds": 200,
        "nodeLeaseParallelism": 4,
    },
}
STAGES = (
    "node/fast/node-initialize.yaml",
    "node/heartbeat-with-lease/node-heartbeat-with-lease.yaml",
    "pod/fast/pod-ready.yaml",
    "pod/fast/pod-complete.yaml",
    "pod/fast/pod-delete.yaml",
)


@dataclass(frozen=True)
class Rig:
    cluster: Cluster

    @property
    def settings(self) -> Settings:
        return self.cluster.settings

    @property
    def folder(self) -> Path:
        return self.settings.run / "bench"

    @property
    def audit_log(self) -> Path:
        return audited.log(self.cluster.audit)

    def kubeconfig(self, account: str) -> Path:
        return self.folder / f"{account}.kubeconfig"

    def container(self) -> str:
        node = self.cluster.control_plane
        return command.answer("docker", "inspect", "--format", "{{.Id}}", node)

    def apply(self, *objects: dict[str, Any]) -> None:
        self.cluster.kubectl("apply", "--server-side", "-f", "-", given=yaml.safe_dump_all(objects))

    def nodes_not_ready(self) -> list[str]:
        ready = "{.status.conditions[?(@.type=='Ready')].status}"
        path = "{range .items[*]}{.metadata.name} " + ready + "{'\\n'}{end}"
        shown = self.cluster.asked("get", "nodes", "-o", f"jsonpath={path}")
        return [line.split()[0] for line in shown.splitlines() if not line.endswith(" True")]


@contextmanager
def fresh(settings: Settings, *, keep: bool = False) -> Iterator[Rig]:
    """A cluster that nobody has used before; removed afterwards unless it is to be kept."""
    rig = Rig(clusters.named(settings, "bench"))
    engine.ensure(settings)
    lifecycle.remove(rig.cluster)
    shutil.rmtree(rig.folder, ignore_errors=True)
    rig.folder.mkdir(parents=True)
    try:
        lifecycle.up(rig.cluster)
        with progress.step("furnish the cluster", "20 s"):
            _furnish(rig)
            simulator = _simulate_nodes(rig)
        try:
            yield rig
        finally:
            simulator.stop()
    finally:
        if not keep:
            lifecycle.remove(rig.cluster)


def _furnish(rig: Rig) -> None:
    # No pod of a service may land on the one node that is real.
    rig.cluster.kubectl(
        *("taint", "nodes", "--all", "--overwrite", f"{lifecycle.CONTROL_PLANE}=:NoSchedule")
    )
    crd = REPOSITORY / "crds" / "microservices.yaml"
    rig.cluster.kubectl("apply", "--server-side", "-f", str(crd))
    rig.cluster.wait("Established", "-f", str(crd))
    rig.apply(*(_namespace(name) for name in (NAMESPACE, WARM_UP, SYSTEM)))
    rig.apply(*(part for name in ACCOUNTS for part in _account(name)))
    rig.cluster.kubectl("apply", "--server-side", "-f", "-", given=_our_rights(rig.settings))
    for name in (*ACCOUNTS, OURS):
        _log_in(rig, name)


def _namespace(name: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def _account(name: str) -> Iterator[dict[str, Any]]:
    yield {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": name, "namespace": SYSTEM},
    }
    group = "rbac.authorization.k8s.io"
    yield {
        "apiVersion": f"{group}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": f"bench-{name}"},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": SYSTEM}],
    }


def _our_rights(settings: Settings) -> str:
    """Account and rights as the chart ships them."""
    parts = ("rbac.yaml", "serviceaccount.yaml")
    chosen = [word for part in parts for word in ("--show-only", f"templates/{part}")]
    chart = REPOSITORY / "charts" / "microservice-operator"
    helm = tools.path(settings, tools.HELM)
    return command.output(helm, "template", OURS, chart, "--namespace", SYSTEM, *chosen)


def _log_in(rig: Rig, account: str) -> None:
    """A kubeconfig with a token of this account, and nothing of the administrator's."""
    token = rig.cluster.asked("create", "token", account, "-n", SYSTEM, "--duration=24h")
    if not token:
        raise Problem(f"the API server gave no token for {account}", log=rig.cluster.log)
    content = yaml.safe_load(rig.cluster.kubeconfig.read_text())
    content["users"] = [{"name": account, "user": {"token": token}}]
    for context in content["contexts"]:
        context["context"]["user"] = account
    path = rig.kubeconfig(account)
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump(content))


def _simulate_nodes(rig: Rig) -> Process:
    binary = golang.build(rig.settings, programs.KWOK) / "kwok"
    module = golang.module_folder(rig.settings, f"sigs.k8s.io/kwok@{versions.KWOK}")
    stages = [(module / "kustomize" / "stage" / name).read_text() for name in STAGES]
    config = rig.folder / "kwok.yaml"
    config.write_text("\n---\n".join([yaml.safe_dump(KWOK), *stages]))
    kubeconfig = str(rig.kubeconfig("kwok"))
    words = (binary, "--kubeconfig", kubeconfig, "--config", config)
    simulator = Process("kwok", words, rig.folder / "kwok.log")
    simulator.start()
    try:
        rig.apply(*(_node(number) for number in range(NODES)))
        rig.cluster.wait("Ready", "node", "-l", "type=kwok")
    except BaseException:
        simulator.stop()
        raise
    return simulator


def _node(number: int) -> dict[str, Any]:
    name = f"kwok-{number}"
    labels = {"type": "kwok", "kubernetes.io/hostname": name, "kubernetes.io/os": "linux"}
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels}}
