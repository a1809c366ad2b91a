"""The standard CRDs of the Gateway API, from its Go module."""

from __future__ import annotations

from e2e.cluster import golang, versions
from e2e.cluster.cluster import Cluster

MODULE = f"sigs.k8s.io/gateway-api@{versions.GATEWAY_API}"
CRDS = "gateway.networking.k8s.io_*s.yaml"


def install(cluster: Cluster) -> None:
    folder = golang.module_folder(cluster.settings, MODULE) / "config" / "crd" / "standard"
    crds = [file for file in sorted(folder.glob(CRDS)) if "_vap_" not in file.name]
    files = [word for file in crds for word in ("-f", str(file))]
    cluster.kubectl("apply", "--server-side", "--force-conflicts", *files)
    cluster.wait("Established", *files)
