"""What sets the benchmark's cluster apart: etcd in memory, controllers that are not held back by
limits of their own."""

from __future__ import annotations

from typing import Any

ETCD = "/tmp/etcd"  # kind mounts a tmpfs on the node's /tmp
UNLIMITED = {"kube-api-qps": "1000", "kube-api-burst": "2000"}
CONTROLLERS = {
    **UNLIMITED,
    # Under load the heartbeats of simulated nodes come late.
    "node-monitor-grace-period": "600s",
    "concurrent-deployment-syncs": "20",
    "concurrent-replicaset-syncs": "20",
    "concurrent-service-endpoint-syncs": "20",
    "concurrent-horizontal-pod-autoscaler-syncs": "20",
    "concurrent-gc-syncs": "50",
}


def kubeadm() -> dict[str, Any]:
    """Parts of a ClusterConfiguration of the v1beta3 that kind writes: flags are a mapping."""
    return {
        "etcd": {"local": {"dataDir": ETCD}},
        "controllerManager": {"extraArgs": CONTROLLERS},
        "scheduler": {"extraArgs": UNLIMITED},
    }
