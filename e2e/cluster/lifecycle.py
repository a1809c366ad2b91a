"""Clusters made, found again and removed."""

from __future__ import annotations

import yaml
from e2e.cluster import audited, cache, command, engine, gateway_api, images, kernel, ports, tools
from e2e.cluster.cluster import MARK, SHAPES, Cluster, config
from e2e.cluster.errors import Problem
from e2e.cluster.node import NODE
from e2e.cluster.ports import LOOPBACK
from e2e.cluster.progress import progress
from e2e.cluster.settings import Settings
from e2e.cluster.waiting import wait_for

FIRST_GATEWAY_PORT = 8080
CONTROL_PLANE = "node-role.kubernetes.io/control-plane"
COMES_BACK_WITHIN = 45.0  # seconds, after the engine was killed and started again


def up(cluster: Cluster) -> bool:
    """Whether it had to be made; one that is complete and answers is left as it is."""
    engine.ensure(cluster.settings)
    if cluster.is_complete():
        return False
    with cache.locked(cluster.settings.cache / f".{cluster.kind_name}.lock"):
        if cluster.is_complete() or _comes_back(cluster):
            return False
        if cluster.nodes():
            progress.say(f"{cluster.kind_name} is half made or out of date; it is made again")
        remove(cluster)
        _create(cluster)
    return True


def down(cluster: Cluster) -> None:
    """Remove the cluster, and with the last one the engine if it was started for them."""
    if engine.answers():
        remove(cluster)
        if not command.answer("docker", "ps", "-q"):
            engine.stop_if_ours(cluster.settings)
    cluster.kubeconfig.unlink(missing_ok=True)


def existing(settings: Settings) -> list[Cluster]:
    clusters = [Cluster(name, settings) for name in SHAPES]
    return [cluster for cluster in clusters if cluster.nodes()]


def _comes_back(cluster: Cluster) -> bool:
    """Nodes whose engine was killed come back with it, but not at once; one that answers, yet
    bears no mark of ours or an old one, is half made or out of date."""
    if len(cluster.nodes()) != cluster.size or cluster.asked("get", "--raw", "/readyz") == "ok":
        return False
    with progress.step(f"wait for the nodes of {cluster.kind_name} to come back", "15 s"):
        command.answer("docker", "start", *cluster.nodes())
        return wait_for(cluster.is_complete, COMES_BACK_WITHIN, pause=1.0)


def remove(cluster: Cluster) -> None:
    """The cluster alone; the engine stays."""
    if not cluster.nodes():
        return
    kind = tools.path(cluster.settings, tools.KIND)
    with progress.step(f"remove the cluster {cluster.kind_name}", "5 s"):
        command.run(
            kind, "delete", "cluster", "--name", cluster.kind_name, log=cluster.log, env=cluster.env
        )


def _create(cluster: Cluster) -> None:
    node = images.ensure(cluster.settings, NODE)
    kernel.widen()
    port = gateway_port() if cluster.shape.gateway else 0
    cluster.log.unlink(missing_ok=True)
    if cluster.shape.audited:
        audited.prepare(cluster.audit)
    with progress.step(f"create the cluster {cluster.kind_name}", cluster.shape.usual):
        _run_kind(cluster, node, port)
        if cluster.shape.workers:
            cluster.kubectl("taint", "nodes", "--selector", CONTROL_PLANE, f"{CONTROL_PLANE}-")
        gateway_api.install(cluster)
        cluster.kubectl("wait", "node", "--all", "--for=condition=Ready", "--timeout=120s")
        for name in ("coredns", "local-path-provisioner"):
            _wait_for(cluster, name)
        _mark(cluster)


def _run_kind(cluster: Cluster, node: str, port: int) -> None:
    words = ("create", "cluster", "--name", cluster.kind_name, "--image", node, "--config", "-")
    command.run(
        tools.path(cluster.settings, tools.KIND),
        *words,
        *("--kubeconfig", str(cluster.kubeconfig)),
        given=yaml.safe_dump(config(cluster, gateway_port=port)),
        log=cluster.log,
        timeout=600,
    )


def _wait_for(cluster: Cluster, deployment: str) -> None:
    namespace = "kube-system" if deployment == "coredns" else "local-path-storage"
    cluster.kubectl("-n", namespace, "rollout", "status", f"deploy/{deployment}", "--timeout=120s")


def _mark(cluster: Cluster) -> None:
    mark = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": MARK, "namespace": "kube-system"},
        "data": {"identity": cluster.identity()},
    }
    cluster.kubectl("apply", "--server-side", "-f", "-", given=yaml.safe_dump(mark))


def gateway_port() -> int:
    """The first free port from 8080 on; says who holds those before it."""
    for port in range(FIRST_GATEWAY_PORT, FIRST_GATEWAY_PORT + 20):
        if ports.is_free(port):
            return port
        progress.say(f"{LOOPBACK}:{port} is taken by {ports.owner(port)}; trying the next")
    raise Problem(
        f"no free port between {FIRST_GATEWAY_PORT} and {port} on {LOOPBACK}",
        remedy="stop one of the programs named above",
    )
