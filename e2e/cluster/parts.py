"""The platform's parts in a cluster: gateway and metrics-server with it, data stores on demand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from e2e.cluster import cache, images, loading
from e2e.cluster.cluster import MARK, Cluster
from e2e.cluster.image import Image
from e2e.cluster.progress import progress
from e2e.cluster.settings import REPOSITORY

MANIFESTS = REPOSITORY / "e2e" / "platform"
READY_WITHIN = "--timeout=180s"


@dataclass(frozen=True)
class Part:
    """`workload` is ready when the part is; the manifest is `<name>.yaml` in e2e/platform."""

    name: str
    image: Image
    namespace: str
    workload: str


GATEWAY = Part("gateway", images.TRAEFIK, "gateway", "deployment/traefik")
METRICS = Part("metrics-server", images.METRICS_SERVER, "kube-system", "deployment/metrics-server")
POSTGRES = Part("postgres", images.POSTGRES, "platform", "statefulset/postgres")
NATS = Part("nats", images.NATS, "platform", "statefulset/nats")
WITH_THE_CLUSTER = (GATEWAY, METRICS)
DATA_STORES = (POSTGRES, NATS)


def install(cluster: Cluster, parts: Sequence[Part]) -> None:
    """Nothing to do where these very parts are in the cluster already."""
    todo = [part for part in parts if _installed(cluster, part) != _digest(part)]
    if not todo:
        return
    references = [images.ensure(cluster.settings, part.image) for part in todo]
    loading.load(cluster, references)
    with progress.step(f"install {' and '.join(part.name for part in todo)}", "15 s"):
        for part in todo:
            cluster.kubectl("apply", "--server-side", "-f", str(MANIFESTS / f"{part.name}.yaml"))
        for part in todo:
            _wait(cluster, part)
            _remember(cluster, part)


def _wait(cluster: Cluster, part: Part) -> None:
    cluster.kubectl("-n", part.namespace, "rollout", "status", part.workload, READY_WITHIN)


def _digest(part: Part) -> str:
    return cache.digest([MANIFESTS / f"{part.name}.yaml", part.image.digest])


def _installed(cluster: Cluster, part: Part) -> str:
    path = f"jsonpath={{.data.{part.name}}}"
    return cluster.asked("get", "configmap", MARK, "-n", "kube-system", "-o", path)


def _remember(cluster: Cluster, part: Part) -> None:
    patch = f'{{"data": {{"{part.name}": "{_digest(part)}"}}}}'
    cluster.kubectl("patch", "configmap", MARK, "-n", "kube-system", "-p", patch)
