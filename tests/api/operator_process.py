"""The operator as a child process, with the rights of its chart and no more."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import yaml
from tests.api.server import ApiServer

from microservice_operator.desired import KINDS

ALL = ["get", "list", "watch", "create", "patch", "delete"]
READ = ["get", "list", "watch"]
CHILDREN = [
    {"apiGroups": [kind.group], "resources": [kind.plural], "verbs": ALL} for kind in KINDS.values()
]
CLUSTER_RULES = [
    {"apiGroups": ["microservice.dev"], "resources": ["microservices"], "verbs": READ},
    {"apiGroups": ["microservice.dev"], "resources": ["microservices/status"], "verbs": ["patch"]},
    {
        "apiGroups": ["microservice.dev"],
        "resources": ["microservices/finalizers"],
        "verbs": ["update"],
    },
    {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]},
    {"apiGroups": [""], "resources": ["events"], "verbs": ["create"]},
    {
        "apiGroups": ["apiextensions.k8s.io"],
        "resources": ["customresourcedefinitions"],
        "verbs": READ,
    },
    *CHILDREN,
]
LEASES = {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"]}
LEASE_RULES = [
    {**LEASES, "verbs": ["create"]},
    {**LEASES, "resourceNames": ["microservice-operator"], "verbs": [*READ, "patch"]},
]
WRITE = re.compile(
    r'^microservice_operator_api_requests_total\{code="\d+",reason="(?P<reason>\w+)",'
    r'resource="(?P<resource>[^"]+)",verb="(?P<verb>create|patch|delete)"\} (?P<count>\S+)$',
    re.MULTILINE,
)


class Process:
    """One running operator."""

    def __init__(self, name: str, environment: dict[str, str], port: int, log: Path) -> None:
        self.name = name
        self.log = log
        self._port = port
        with log.open("a") as output:
            self._child = subprocess.Popen(
                [sys.executable, "-m", "microservice_operator"],
                env=environment,
                stderr=output,
                stdout=output,
            )

    def ready(self) -> bool:
        with contextlib.suppress(httpx.HTTPError):
            return httpx.get(f"http://127.0.0.1:{self._port}/readyz", trust_env=False).is_success
        return False

    def writes(self) -> dict[str, int]:
        """What it has asked for beside reads, its Lease and its own permissions."""
        text = httpx.get(f"http://127.0.0.1:{self._port}/metrics", trust_env=False).text
        return {
            f"{found['verb']} {found['resource']} {found['reason']}": int(float(found["count"]))
            for found in WRITE.finditer(text)
            if found["reason"] not in ("lease", "permissions")
        }

    def changes(self, namespace: str) -> list[str]:
        """Its log lines on objects it has written there: one a change."""
        words = (" created ", " updated ", " deleted ")
        lines = self.log.read_text().splitlines()
        return [
            line.partition(f"{namespace}/")[2]
            for line in lines
            if f" {namespace}/" in line and any(word in line for word in words)
        ]

    def kill(self) -> None:
        """As the kernel does when memory is short."""
        self._child.kill()
        self._child.wait(10)

    def stop(self) -> int:
        """As the kubelet does; the exit status."""
        self._child.send_signal(signal.SIGTERM)
        return self._child.wait(15)

    def running(self) -> bool:
        return self._child.poll() is None


class Operators:
    """Starts operators in a namespace of their own, as one ServiceAccount."""

    def __init__(self, server: ApiServer, kubeconfig: Path, namespace: str, home: Path) -> None:
        self._namespace = namespace
        self._home = home
        self._processes: list[Process] = []
        self._kubeconfig = home / "kubeconfig"
        token = _account(server, namespace)
        self._kubeconfig.write_text(yaml.safe_dump(_with_token(kubeconfig, token)))
        self._kubeconfig.chmod(0o600)

    def start(self, name: str = "operator") -> Process:
        """Returns once it is ready."""
        port = _free_port()
        environment = {
            **{k: v for k, v in os.environ.items() if k in ("PATH", "HOME", "PYTHONPATH")},
            "KUBECONFIG": str(self._kubeconfig),
            "POD_NAME": name,
            "POD_NAMESPACE": self._namespace,
            "PLATFORM_FILE": str(self._platform()),
            "PROBE_PORT": "0",
            "METRICS_PORT": str(port),
            "LOG_FORMAT": "plain",
        }
        process = Process(name, environment, port, self._home / f"{name}.log")
        self._processes.append(process)
        eventually(process.ready, 90, lambda: process.log.read_text()[-2000:])
        return process

    def stop(self) -> None:
        for process in self._processes:
            if process.running():
                process.stop()

    def log(self) -> str:
        return "\n".join(path.read_text() for path in sorted(self._home.glob("*.log")))

    def _platform(self) -> Path:
        path = self._home / "platform.yaml"
        path.write_text(yaml.safe_dump({"gateway": {"name": "public", "namespace": "gateway"}}))
        return path


def eventually(
    holds: Callable[[], Any], seconds: float, describe: Callable[[], Any] = lambda: ""
) -> Any:
    """Look ten times a second until it is true."""
    deadline = time.monotonic() + seconds
    while not (found := holds()):
        assert time.monotonic() < deadline, f"not within {seconds} s: {describe()}"
        time.sleep(0.1)
    return found


def _account(server: ApiServer, namespace: str) -> str:
    """A ServiceAccount with the operator's rights; its token."""
    rbac, core = "/apis/rbac.authorization.k8s.io/v1", f"/api/v1/namespaces/{namespace}"
    metadata, home = {"name": f"operator-{namespace}"}, {"name": "operator"}
    subject = {"kind": "ServiceAccount", "name": "operator", "namespace": namespace}
    refer = {"apiGroup": "rbac.authorization.k8s.io"}
    _post(server, f"{core}/serviceaccounts", {"metadata": home})
    _post(server, f"{rbac}/clusterroles", {"metadata": metadata, "rules": CLUSTER_RULES})
    role = {**refer, "kind": "ClusterRole", "name": metadata["name"]}
    binding = {"metadata": metadata, "roleRef": role, "subjects": [subject]}
    _post(server, f"{rbac}/clusterrolebindings", binding)
    _post(server, f"{rbac}/namespaces/{namespace}/roles", {"metadata": home, "rules": LEASE_RULES})
    role = {**refer, "kind": "Role", "name": "operator"}
    binding = {"metadata": home, "roleRef": role, "subjects": [subject]}
    _post(server, f"{rbac}/namespaces/{namespace}/rolebindings", binding)
    answer = _post(server, f"{core}/serviceaccounts/operator/token", {"spec": {}})
    return str(answer["status"]["token"])


def remove_rights(server: ApiServer, namespace: str) -> None:
    """What a namespace does not take along when it is deleted."""
    for plural in ("clusterrolebindings", "clusterroles"):
        path = f"/apis/rbac.authorization.k8s.io/v1/{plural}/operator-{namespace}"
        server.request("DELETE", path).raise_for_status()


def _post(server: ApiServer, path: str, body: Any) -> Any:
    answer = server.request("POST", path, json=body)
    assert answer.is_success, answer.text
    return answer.json()


def _with_token(kubeconfig: Path, token: str) -> dict[str, Any]:
    """The cluster of this kubeconfig, but never its administrator."""
    content: dict[str, Any] = yaml.safe_load(kubeconfig.read_text())
    content["users"] = [{"name": "operator", "user": {"token": token}}]
    for context in content["contexts"]:
        context["context"]["user"] = "operator"
    return content


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def operators(
    server: ApiServer, kubeconfig: Path, namespace: str, home: Path
) -> Iterator[Operators]:
    """The body of a fixture."""
    running = Operators(server, kubeconfig, namespace, home)
    yield running
    running.stop()
    remove_rights(server, namespace)
