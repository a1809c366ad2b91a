"""What sets the benchmark's cluster apart: etcd in memory, an audit log, controllers that are not
held back by limits of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from e2e.cluster.settings import Settings

POLICY = Path(__file__).parent / "bench" / "audit-policy.yaml"
POLICY_IN_NODE = "/etc/kubernetes/audit-policy.yaml"
AUDIT_IN_NODE = "/audit"
ETCD = "/tmp/etcd"  # kind mounts a tmpfs on the node's /tmp
UNLIMITED = {"kube-api-qps": "1000", "kube-api-burst": "2000"}
API_SERVER = {
    "audit-policy-file": POLICY_IN_NODE,
    "audit-log-path": f"{AUDIT_IN_NODE}/audit.log",
    "audit-log-maxsize": "100000",  # megabytes; else it is rotated at 100
}
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


def audit_log(settings: Settings) -> Path:
    """Where the machine sees it."""
    return settings.run / "bench" / "audit" / "audit.log"


def mounts(settings: Settings) -> list[dict[str, object]]:
    return [
        {"hostPath": str(POLICY), "containerPath": POLICY_IN_NODE, "readOnly": True},
        {"hostPath": str(audit_log(settings).parent), "containerPath": AUDIT_IN_NODE},
    ]


def kubeadm() -> dict[str, Any]:
    """A patch of the v1beta3 that kind writes: flags are a mapping."""
    return {
        "kind": "ClusterConfiguration",
        "etcd": {"local": {"dataDir": ETCD}},
        "apiServer": {
            "extraArgs": API_SERVER,
            "extraVolumes": [
                _volume("audit-policy", POLICY_IN_NODE, "File", read_only=True),
                _volume("audit", AUDIT_IN_NODE, "DirectoryOrCreate"),
            ],
        },
        "controllerManager": {"extraArgs": CONTROLLERS},
        "scheduler": {"extraArgs": UNLIMITED},
    }


def _volume(name: str, path: str, kind: str, *, read_only: bool = False) -> dict[str, object]:
    where = {"hostPath": path, "mountPath": path, "pathType": kind}
    return {"name": name, **where, "readOnly": read_only}
