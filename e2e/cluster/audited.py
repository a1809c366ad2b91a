"""A cluster whose API server writes down who asked for what."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

POLICY = Path(__file__).with_name("audit-policy.yaml")
IN_NODE = "/audit"  # a folder of this machine: the policy, and then the log
API_SERVER = {
    "audit-policy-file": f"{IN_NODE}/{POLICY.name}",
    "audit-log-path": f"{IN_NODE}/audit.log",
    "audit-log-maxsize": "100000",  # megabytes; else it is rotated at 100
}


def log(folder: Path) -> Path:
    return folder / "audit.log"


def prepare(folder: Path) -> None:
    """Without the log of an earlier cluster."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    shutil.copy(POLICY, folder)


def mount(folder: Path) -> dict[str, object]:
    return {"hostPath": str(folder), "containerPath": IN_NODE}


def kubeadm() -> dict[str, Any]:
    """Parts of a ClusterConfiguration of the v1beta3 that kind writes: flags are a mapping."""
    volume = {"name": "audit", "hostPath": IN_NODE, "mountPath": IN_NODE, "readOnly": False}
    return {"apiServer": {"extraArgs": API_SERVER, "extraVolumes": [volume]}}
