"""Where the demo runs: the local cluster, or an existing one (`CLUSTER=existing KUBECONFIG=…`)."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import yaml
from e2e.cluster import cluster as clusters
from e2e.cluster import command, lifecycle, loading, parts, tools
from e2e.cluster.cluster import Cluster
from e2e.cluster.errors import Problem
from e2e.cluster.progress import progress
from e2e.cluster.settings import Settings

NODE_ROLE = "node-role.kubernetes.io/control-plane"
EXISTING = "existing"


@dataclass(frozen=True)
class Gateway:
    """The Gateway that routes name as their parent, and the labels of its pods, if known."""

    namespace: str = "gateway"
    name: str = "public"
    pods: str = "app=traefik"


class Target(Protocol):
    """`image_prefix` stands before the names of our images, without a slash at its end;
    `bank_anywhere`: any node may run the bank."""

    @property
    def settings(self) -> Settings: ...
    @property
    def kubeconfig(self) -> Path: ...
    @property
    def gateway(self) -> Gateway: ...
    @property
    def image_prefix(self) -> str: ...
    @property
    def bank_anywhere(self) -> bool: ...
    def prepare(self) -> None: ...
    def deliver(self, images: Sequence[str]) -> None: ...
    def install_data_stores(self) -> None: ...
    def gateway_url(self) -> str: ...


def chosen(settings: Settings) -> Target:
    which = os.environ.get("CLUSTER", "demo")
    if which == EXISTING:
        return Existing.from_environment(settings)
    if which != "demo":
        raise Problem(f"CLUSTER={which} is not known", remedy="leave it out, or CLUSTER=existing")
    return Local(settings, clusters.named(settings, "demo"))


def kubectl(target: Target, *words: str, given: str | None = None, timeout: float = 300) -> str:
    tool = tools.path(target.settings, tools.KUBECTL)
    env = {"KUBECONFIG": str(target.kubeconfig)}
    return command.run(tool, *words, given=given, env=env, timeout=timeout)


def asked(target: Target, *words: str) -> str:
    """As `kubectl`, but "" where it fails; standard output alone."""
    tool = tools.path(target.settings, tools.KUBECTL)
    return command.answer(tool, *words, env={"KUBECONFIG": str(target.kubeconfig)})


@dataclass(frozen=True)
class Local:
    """The kind cluster `demo`: made if need be, images carried to its nodes."""

    settings: Settings
    cluster: Cluster
    gateway: Gateway = Gateway()
    image_prefix: str = "microservice.dev"
    bank_anywhere: bool = False

    @property
    def kubeconfig(self) -> Path:
        return self.cluster.kubeconfig

    def prepare(self) -> None:
        lifecycle.up(self.cluster)
        parts.install(self.cluster, parts.WITH_THE_CLUSTER)

    def deliver(self, images: Sequence[str]) -> None:
        loading.load(self.cluster, images)

    def install_data_stores(self) -> None:
        parts.install(self.cluster, parts.DATA_STORES)

    def gateway_url(self) -> str:
        return self.cluster.gateway_url()


@dataclass(frozen=True)
class Existing:
    """Any cluster with a Gateway; images go through a registry both sides can reach."""

    settings: Settings
    kubeconfig: Path
    image_prefix: str
    gateway: Gateway
    url: str
    bank_anywhere: bool = True

    @classmethod
    def from_environment(cls, settings: Settings) -> Existing:
        kubeconfig, prefix = os.environ.get("KUBECONFIG"), os.environ.get("IMAGE_PREFIX")
        if not kubeconfig or not prefix:
            raise Problem(
                "CLUSTER=existing needs KUBECONFIG and IMAGE_PREFIX",
                remedy="make demo CLUSTER=existing KUBECONFIG=FILE IMAGE_PREFIX=REGISTRY/FOLDER",
            )
        namespace, _, name = os.environ.get("GATEWAY", "gateway/public").partition("/")
        gateway = Gateway(namespace, name, os.environ.get("GATEWAY_PODS", ""))
        url = os.environ.get("GATEWAY_URL", "")
        return cls(settings, Path(kubeconfig).resolve(), prefix.rstrip("/"), gateway, url)

    def prepare(self) -> None:
        where = ("gateway.gateway.networking.k8s.io", self.gateway.name)
        if not asked(self, "get", *where, "-n", self.gateway.namespace, "-o", "name"):
            raise Problem(
                f"there is no Gateway {self.gateway.namespace}/{self.gateway.name}",
                remedy="install a Gateway API implementation, or set GATEWAY=NAMESPACE/NAME",
            )

    def deliver(self, images: Sequence[str]) -> None:
        with progress.step(f"push {len(images)} images to {self.image_prefix}", "1 min"):
            for image in images:
                command.run("docker", "push", image)

    def install_data_stores(self) -> None:
        with progress.step("install postgres and nats", "1 min"):
            for part in parts.DATA_STORES:
                manifest = (parts.MANIFESTS / f"{part.name}.yaml").read_text()
                kubectl(self, "apply", "--server-side", "-f", "-", given=on_any_node(manifest))
                where = ("-n", part.namespace, part.workload)
                kubectl(self, "rollout", "status", *where, "--timeout=270s")

    def gateway_url(self) -> str:
        if self.url:
            return self.url.rstrip("/")
        query = ("get", "gateway.gateway.networking.k8s.io", self.gateway.name)
        path = "jsonpath={.status.addresses[0].value}:{.spec.listeners[0].port}"
        found = asked(self, *query, "-n", self.gateway.namespace, "-o", path)
        if not re.match(r"[^:].*:\d+$", found):
            raise Problem("the Gateway has no address", remedy="set GATEWAY_URL=http://HOST:PORT")
        return f"http://{found.removesuffix(':80')}"


def on_any_node(manifest: str) -> str:
    """Elsewhere no pod may ask for the control-plane node."""
    documents: list[Any] = [document for document in yaml.safe_load_all(manifest) if document]
    for document in documents:
        template = (document.get("spec") or {}).get("template") or {}
        (template.get("spec") or {}).pop("nodeSelector", None)
    return yaml.safe_dump_all(documents)
