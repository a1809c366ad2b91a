"""What a cluster looks like from outside."""

from __future__ import annotations

import shutil
from pathlib import Path

from e2e.cluster import command, engine, tools
from e2e.cluster.cluster import Cluster
from e2e.cluster.errors import Problem


def line(cluster: Cluster) -> str:
    return f"{cluster.kind_name:20}{_state(cluster)}"


def _state(cluster: Cluster) -> str:
    if not engine.answers():
        return "absent (no Docker engine answers)"
    if not (nodes := cluster.nodes()):
        return "absent"
    if not cluster.is_complete():
        return f"incomplete: {', '.join(nodes)}; `up` makes it again"
    gateway = f", gateway {cluster.gateway_url()}" if cluster.shape.gateway else ""
    count = f"{len(nodes)} node{'s' if len(nodes) > 1 else ''}"
    return f"up, {count}{gateway}, kubeconfig {cluster.kubeconfig}"


def export_logs(cluster: Cluster) -> Path:
    """What kind collects: journals of the nodes and logs of all pods."""
    if not cluster.nodes():
        raise Problem(f"the cluster {cluster.kind_name} is not there")
    folder = cluster.settings.run / "logs" / cluster.kind_name
    shutil.rmtree(folder, ignore_errors=True)
    kind = tools.path(cluster.settings, tools.KIND)
    # It ends with an error, yet complete, where the node has no crictl; ours has none.
    command.answer(kind, "export", "logs", folder, "--name", cluster.kind_name, timeout=300)
    if not (folder / cluster.control_plane).exists():
        raise Problem(f"kind could not collect the logs of {cluster.kind_name}")
    return folder
