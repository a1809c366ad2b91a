"""Who is compared: our operator, kro as shipped and tuned, and the floor."""

from __future__ import annotations

import platform
import socket
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from benchmarks.load import PLATFORM
from benchmarks.process import Process
from benchmarks.rig import OURS, SYSTEM, Rig
from e2e.cluster import golang, programs, versions
from e2e.cluster.errors import Problem
from e2e.cluster.waiting import wait_for

from microservice_operator.api.kinds import MICROSERVICE, Kind
from microservice_operator.settings import VERSION

PEER = Kind("kro.run/v1alpha1", "BenchService", "benchservices")
KRO = Path(__file__).parent / "peers" / "kro"
STARTS_WITHIN = 90.0  # seconds


@dataclass(frozen=True)
class Contestant:
    """`operates`: it watches, heals and reports; the floor does what it is told."""

    name: str
    version: str
    kind: Kind
    account: str
    operates: bool
    flags: Mapping[str, Any]
    launch: Callable[[Rig], Process]

    @property
    def user(self) -> str:
        return f"system:serviceaccount:{SYSTEM}:{self.account}"


def _ours(rig: Rig) -> Process:
    port = _free_port()
    facts = rig.folder / "platform.yaml"
    facts.write_text(yaml.safe_dump(PLATFORM))
    environment = {
        "KUBECONFIG": str(rig.kubeconfig(OURS)),
        "POD_NAME": "ours",
        "POD_NAMESPACE": SYSTEM,
        "PLATFORM_FILE": str(facts),
        "PROBE_PORT": "0",
        "METRICS_PORT": str(port),
    }
    words = (sys.executable, "-m", "microservice_operator")
    process = Process("our operator", words, rig.folder / "ours.log", environment)
    process.start()
    _wait_for(process, f"http://127.0.0.1:{port}/readyz")
    return process


def _floor(rig: Rig) -> Process:
    words = (sys.executable, "-m", "benchmarks.floor", rig.kubeconfig("floor"))
    process = Process("the floor", words, rig.folder / "floor.log", piped=True)
    process.start()
    if not process.child.stdout or process.child.stdout.readline() != b"listening\n":
        raise Problem("the floor did not start", log=process.log)
    return process


def _kro(flags: Mapping[str, Any]) -> Callable[[Rig], Process]:
    def launch(rig: Rig) -> Process:
        module = golang.module_folder(
            rig.settings, f"github.com/kubernetes-sigs/kro@{versions.KRO}"
        )
        crds = [word for path in _crds(module) for word in ("-f", str(path))]
        rig.cluster.kubectl("apply", "--server-side", *crds)
        rig.cluster.wait("Established", *crds)
        port = _free_port()
        binary = golang.build(rig.settings, programs.KRO) / "controller"
        words: list[str | Path] = [binary, *(f"--{name}={value}" for name, value in flags.items())]
        words += [f"--leader-election-namespace={SYSTEM}", "--metrics-bind-address=0"]
        words += [f"--health-probe-bind-address=127.0.0.1:{port}"]
        environment = {"KUBECONFIG": str(rig.kubeconfig("kro"))}
        process = Process("kro", words, rig.folder / "kro.log", environment)
        process.start()
        _wait_for(process, f"http://127.0.0.1:{port}/readyz")
        rig.cluster.kubectl("apply", "--server-side", "-f", str(KRO / "graph.yaml"))
        graph = "resourcegraphdefinition/benchservice"
        rig.cluster.wait("Ready", graph)
        return process

    return launch


def _crds(module: Path) -> list[Path]:
    return sorted((module / "helm" / "crds").glob("*.yaml"))


def _settings(name: str) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((KRO / f"{name}.yaml").read_text())
    return content


def _peer(name: str, settings: str) -> Contestant:
    flags = _settings(settings)
    version = versions.KRO.removeprefix("v")
    return Contestant(name, version, PEER, "kro", True, flags, _kro(flags))


def _wait_for(process: Process, url: str) -> None:
    def ready() -> bool:
        process.check()
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    try:
        came_up = wait_for(ready, STARTS_WITHIN)
    except BaseException:
        process.stop()
        raise
    if not came_up:
        process.stop()
        raise Problem(f"{process.name} was not ready in {STARTS_WITHIN:.0f} s", log=process.log)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


PYTHON = {"python": platform.python_version()}
ALL = {
    contestant.name: contestant
    for contestant in (
        Contestant("ours", VERSION, MICROSERVICE, OURS, True, PYTHON, _ours),
        Contestant("floor", "bare client", MICROSERVICE, "floor", False, PYTHON, _floor),
        _peer("kro", "default"),
        _peer("kro-tuned", "tuned"),
    )
}
