"""A local cluster by its name, and the questions one can ask about it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml
from e2e.cluster import audited, cache, command, measured, tools
from e2e.cluster.errors import Problem
from e2e.cluster.node import NODE
from e2e.cluster.ports import LOOPBACK
from e2e.cluster.settings import Settings
from e2e.cluster.waiting import wait_for

GATEWAY_NODE_PORT = 30080
NODE_LABEL = "io.x-k8s.kind.cluster"  # kind's, on the containers that are nodes
MARK = "local-cluster"  # ConfigMap in kube-system, written when a cluster is complete


@dataclass(frozen=True)
class Shape:
    """`gateway`: the control-plane node publishes the gateway's port on this machine;
    `audited`: who asked for what is written down; `measured`: as the benchmarks need it."""

    workers: int
    gateway: bool
    usual: str
    audited: bool = False
    measured: bool = False


API = Shape(workers=0, gateway=False, usual="30 s", audited=True)
SHAPES = {
    "demo": Shape(workers=1, gateway=True, usual="50 s"),
    "api": API,
    # For more runs of the api tests at the same time: their operators would see each other.
    **{f"api-{number}": API for number in (2, 3, 4)},
    "bench": Shape(workers=0, gateway=False, usual="30 s", audited=True, measured=True),
}


@dataclass(frozen=True)
class Cluster:
    name: str
    settings: Settings

    @property
    def shape(self) -> Shape:
        return SHAPES[self.name]

    @property
    def kind_name(self) -> str:
        return f"microservice-{self.name}"

    @property
    def control_plane(self) -> str:
        return f"{self.kind_name}-control-plane"

    @property
    def size(self) -> int:
        return 1 + self.shape.workers

    @property
    def kubeconfig(self) -> Path:
        return self.settings.run / f"{self.name}.kubeconfig"

    @property
    def audit(self) -> Path:
        """The same for all checkouts of a user, as the cluster is."""
        return self.settings.cache / "audit" / self.name

    @property
    def log(self) -> Path:
        return self.settings.run / "logs" / f"cluster-{self.name}.log"

    def kubectl(self, *words: str, given: str | None = None, timeout: float = 300) -> str:
        tool = tools.path(self.settings, tools.KUBECTL)
        return command.run(tool, *words, given=given, env=self.env, timeout=timeout)

    def asked(self, *words: str, timeout: float = 10) -> str:
        """As `kubectl`, but "" where the cluster does not answer."""
        tool = tools.path(self.settings, tools.KUBECTL)
        return command.answer(tool, *words, env=self.env, timeout=timeout)

    def wait(self, condition: str, *what: str, within: float = 60) -> None:
        """Asked again and again: kubectl itself fails on an object that has no conditions yet
        (".status.conditions accessor error: <nil>")."""
        words = ("wait", f"--for=condition={condition}", *what, "--timeout=5s")
        if not wait_for(lambda: self.asked(*words, timeout=10), within):
            self.kubectl(*words)

    @property
    def env(self) -> dict[str, str]:
        return {"KUBECONFIG": str(self.kubeconfig)}

    def nodes(self, *, running: bool = False) -> list[str]:
        which = [] if running else ["--all"]
        label = f"label={NODE_LABEL}={self.kind_name}"
        shown = command.answer("docker", "ps", *which, "--filter", label, "--format", "{{.Names}}")
        return sorted(shown.split())

    def identity(self) -> str:
        """Changes when the cluster has to be made anew."""
        return cache.digest([NODE.digest, repr(config(self, gateway_port=0))])

    def is_complete(self) -> bool:
        if len(self.nodes(running=True)) != self.size:
            return False
        return self._marked() or (self.write_kubeconfig() and self._marked())

    def _marked(self) -> bool:
        query = ("get", "configmap", MARK, "-n", "kube-system", "-o", "jsonpath={.data.identity}")
        return self.asked(*query) == self.identity()

    def write_kubeconfig(self) -> bool:
        """Whether it changed: another checkout may have made the cluster, or made it again."""
        kind = tools.path(self.settings, tools.KIND)
        text = command.answer(kind, "get", "kubeconfig", "--name", self.kind_name)
        if not text or (self.kubeconfig.exists() and self.kubeconfig.read_text() == f"{text}\n"):
            return False
        self.kubeconfig.parent.mkdir(parents=True, exist_ok=True)
        self.kubeconfig.write_text(f"{text}\n")
        self.kubeconfig.chmod(0o600)
        return True

    def gateway_url(self) -> str:
        port = f"{GATEWAY_NODE_PORT}/tcp"
        address = command.answer("docker", "port", self.control_plane, port)
        if not address:
            raise Problem(f"{self.kind_name} has no gateway", remedy="make it: make demo")
        return f"http://{address.splitlines()[0]}"


def named(settings: Settings, name: str) -> Cluster:
    if name not in SHAPES:
        raise Problem(f"there is no cluster {name}", remedy=f"take {' or '.join(SHAPES)}")
    return Cluster(name, settings)


def config(cluster: Cluster, *, gateway_port: int) -> dict[str, object]:
    """What kind is asked for."""
    control_plane: dict[str, object] = {"role": "control-plane"}
    if cluster.shape.gateway:
        control_plane["extraPortMappings"] = [
            {
                "containerPort": GATEWAY_NODE_PORT,
                "hostPort": gateway_port,
                "listenAddress": LOOPBACK,
            }
        ]
    # Kubernetes 1.35 is the last that runs on cgroup v1, and only if told so.
    patches: list[object] = [{"kind": "KubeletConfiguration", "failCgroupV1": False}]
    kubeadm: dict[str, object] = {}
    if cluster.shape.audited:
        control_plane["extraMounts"] = [audited.mount(cluster.audit)]
        kubeadm |= audited.kubeadm()
    if cluster.shape.measured:
        kubeadm |= measured.kubeadm()
    if kubeadm:
        patches.append({"kind": "ClusterConfiguration", **kubeadm})
    return {
        "kind": "Cluster",
        "apiVersion": "kind.x-k8s.io/v1alpha4",
        "networking": {"apiServerAddress": LOOPBACK},
        "nodes": [control_plane, *({"role": "worker"} for _ in range(cluster.shape.workers))],
        "kubeadmConfigPatches": [yaml.safe_dump(patch) for patch in patches],
    }
