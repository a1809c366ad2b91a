"""The operator as a child process, which finds the API server through the proxy."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx
import yaml
from tests.api import rights
from tests.api.proxy import FaultProxy
from tests.api.server import ApiServer
from tests.api.warm import Spare

WRITE = re.compile(
    r'^microservice_operator_api_requests_total\{code="\d+",reason="(?P<reason>\w+)",'
    r'resource="(?P<resource>[^"]+)",verb="(?P<verb>create|patch|delete)"\} (?P<count>\S+)$',
    re.MULTILINE,
)
PASSED_ON = ("PATH", "HOME", "PYTHONPATH")
PROGRAM = (sys.executable, "-m", "microservice_operator")
ALTERED = (sys.executable, "-P", str(Path(__file__).with_name("altered_operator.py")))


class Process:
    """One running operator."""

    def __init__(self, name: str, url: str, log: Path, child: "subprocess.Popen[bytes]") -> None:
        self.name = name
        self.log = log
        self.url = url  # of its metrics and of /readyz
        self._child = child

    @property
    def pid(self) -> int:
        return self._child.pid

    def ready(self) -> bool:
        with contextlib.suppress(httpx.HTTPError):
            return self._asked("/readyz").is_success
        return False

    def metrics(self) -> str:
        return self._asked("/metrics").text

    def _asked(self, path: str) -> httpx.Response:
        # Without `verify=False`, each call spends 30 ms on reading certificates.
        return httpx.get(self.url + path, trust_env=False, verify=False)

    def writes(self) -> dict[str, int]:
        """What it has asked for beside reads, its Lease and its own permissions."""
        return {
            f"{found['verb']} {found['resource']} {found['reason']}": int(float(found["count"]))
            for found in WRITE.finditer(self.metrics())
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

    def last_words(self) -> str:
        return self.log.read_text()[-2000:]

    def shoot(self) -> None:
        """SIGKILL, without waiting for the end."""
        self._child.kill()

    def kill(self) -> None:
        """As the kernel does when memory is short."""
        self.shoot()
        self._child.wait(10)

    def terminate(self) -> None:
        """SIGTERM, without waiting for the end."""
        self._child.send_signal(signal.SIGTERM)

    def stop(self) -> int:
        """As the kubelet does; the exit status."""
        self.terminate()
        return self.exit_status()

    def exit_status(self, seconds: float = 15) -> int:
        """Waits for its end; negative after a signal."""
        return self._child.wait(seconds)

    def running(self) -> bool:
        return self._child.poll() is None


class Operators:
    """Starts operators in a namespace of their own, as one ServiceAccount."""

    def __init__(self, server: ApiServer, proxy: FaultProxy, namespace: str, home: Path) -> None:
        self.namespace = namespace
        self.user = rights.user(namespace)
        self.token = home / "token"  # read anew now and then, as in a pod
        self._proxy = proxy
        self._home = home
        self._processes: list[Process] = []
        self.token.write_text(rights.make_account(server, namespace))

    def start(
        self,
        name: str = "operator",
        wait: bool = True,
        altered: Iterable[str] = (),
        warm: bool = False,
        **environment: Any,
    ) -> Process:
        """Returns once it is ready, with `wait`. Settings by their names: relist_seconds=5;
        `altered` as in altered_operator.py, `warm` as in warm.py."""
        given = {key.upper(): str(value) for key, value in environment.items()}
        whole, log = self._environment(name) | given, self._home / f"{name}.log"
        child = self._spare.start(whole, log) if warm else _begun(whole, log, altered)
        process = Process(name, f"http://127.0.0.1:{whole['METRICS_PORT']}", log, child)
        self._processes.append(process)
        self._proxy.on_kill(name, process.shoot)
        if wait:
            eventually(lambda: process.ready() or not process.running(), 90, process.last_words)
            assert process.running(), process.last_words()
        return process

    def stop(self) -> None:
        for process in self._processes:
            if process.running():
                process.stop()
        if "_spare" in vars(self):
            self._spare.end()

    @cached_property
    def _spare(self) -> Spare:
        return Spare()

    def log(self) -> str:
        return "\n".join(path.read_text() for path in sorted(self._home.glob("*.log")))

    def _environment(self, name: str) -> dict[str, str]:
        return {
            **{key: value for key, value in os.environ.items() if key in PASSED_ON},
            "KUBECONFIG": str(self._kubeconfig(name)),
            "POD_NAME": name,
            "POD_NAMESPACE": self.namespace,
            "PLATFORM_FILE": str(self._platform()),
            "PROBE_PORT": "0",
            "METRICS_PORT": str(free_port()),
            "LOG_FORMAT": "plain",
        }

    def _kubeconfig(self, name: str) -> Path:
        """The proxy is the cluster, and nobody is its administrator."""
        path = self._home / f"{name}.kubeconfig"
        cluster = {"server": self._proxy.address(name)}
        content = {
            "clusters": [{"name": "proxy", "cluster": cluster}],
            "users": [{"name": "operator", "user": {"tokenFile": self.token.name}}],
            "contexts": [{"name": "proxy", "context": {"cluster": "proxy", "user": "operator"}}],
            "current-context": "proxy",
        }
        path.write_text(yaml.safe_dump(content))
        return path

    def _platform(self) -> Path:
        path = self._home / "platform.yaml"
        path.write_text(yaml.safe_dump({"gateway": {"name": "public", "namespace": "gateway"}}))
        return path


def _begun(
    environment: dict[str, str], log: Path, altered: Iterable[str]
) -> "subprocess.Popen[bytes]":
    command = [*ALTERED, *altered] if altered else PROGRAM
    with log.open("a") as output:
        return subprocess.Popen(command, env=environment, stderr=output, stdout=output)


class Current:
    """The operator that runs now; a test that ended it leaves a new one to the next test."""

    def __init__(self, operators: Operators) -> None:
        self.operators = operators
        self.process: Process | None = None

    def ensure(self, **environment: Any) -> Process:
        if self.process is None or not self.process.running():
            self.process = self.operators.start(**environment)
        return self.process


def eventually(
    holds: Callable[[], Any], seconds: float, describe: Callable[[], Any] = lambda: ""
) -> Any:
    """Look ten times a second until it is true."""
    deadline = time.monotonic() + seconds
    while not (found := holds()):
        assert time.monotonic() < deadline, f"not within {seconds} s: {describe()}"
        time.sleep(0.1)
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def operators(
    server: ApiServer, proxy: FaultProxy, namespace: str, home: Path
) -> Iterator[Operators]:
    """The body of a fixture. What must never be told is not in a log either (I5)."""
    running = Operators(server, proxy, namespace, home)
    yield running
    running.stop()
    rights.remove(server, namespace)
    told = [canary for canary in proxy.invariants.canaries if canary in running.log()]
    assert told == []
