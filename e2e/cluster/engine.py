"""A Docker engine: the one that answers is used untouched; where none does, one is started."""

from __future__ import annotations

import json
import os
import platform
import signal
from pathlib import Path

from e2e.cluster import command, packages
from e2e.cluster.errors import Problem
from e2e.cluster.progress import progress
from e2e.cluster.settings import Settings
from e2e.cluster.waiting import wait_for

PACKAGES = ("docker.io", "iptables", "ca-certificates")
CLUSTER_RANGES = ("10.96.0.0/16", "10.244.0.0/16")  # kind's Services and Pods
PID_FILES = {
    "/var/run/docker.pid": "dockerd",
    "/var/run/docker/containerd/containerd.pid": "containerd",
}
CAP_SYS_RESOURCE = 24
STARTS_WITHIN = 60.0  # seconds
STOPS_WITHIN = 30.0  # seconds

RUNC_FILTER = """\
#!/bin/sh
# runc, never asked for CAP_SYS_RESOURCE, which this machine lacks: Docker before 23 asks for
# every capability when a container is privileged, on create (--bundle) and on exec (--process).
previous=
for argument in "$@"; do
  case $previous in
    --bundle) sed -i 's/"CAP_SYS_RESOURCE",//g' "$argument/config.json" ;;
    --process|-p) sed -i 's/"CAP_SYS_RESOURCE",//g' "$argument" ;;
  esac
  previous=$argument
done
exec runc "$@"
"""


def ensure(settings: Settings) -> None:
    if answers():
        return
    if platform.system() != "Linux":
        raise Problem(
            "no Docker engine answers",
            remedy="start Docker Desktop, Colima or OrbStack, then run this again",
        )
    packages.ensure(settings, *PACKAGES, why="no Docker engine answers")
    if not answers():  # Debian's package starts it by itself where there is systemd
        _start(settings)


def answers() -> bool:
    return bool(command.answer("docker", "info", "--format", "{{.ServerVersion}}", timeout=20))


def stop_if_ours(settings: Settings) -> None:
    """Stop the engine that an earlier `ensure` started; anybody else's is left alone."""
    if not (pid := _ours(settings)):
        return
    with progress.step("stop the Docker engine that was started for the clusters", "2 s"):
        os.kill(pid, signal.SIGTERM)
        wait_for(lambda: _has_ended(pid), STOPS_WITHIN)
    _folder(settings).joinpath("dockerd.pid").unlink(missing_ok=True)
    for cluster_range in CLUSTER_RANGES:
        command.answer("ip", "route", "del", "unreachable", cluster_range)


def _start(settings: Settings) -> None:
    if os.geteuid() != 0:
        raise Problem(
            "no Docker engine answers, and only root may start one",
            remedy="start Docker (`systemctl start docker`), or run this as root",
        )
    folder = _folder(settings)
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "dockerd.log"
    with progress.step("start a Docker engine", "3 s"):
        _keep_cluster_ranges_here()
        _forget_the_dead()
        pid = _launch(folder, log)
        wait_for(lambda: answers() or _has_ended(pid), STARTS_WITHIN)
    if not answers():
        raise Problem("the Docker engine did not start", log=log, remedy="see the lines above")


def _launch(folder: Path, log: Path) -> int:
    """By a shell that ends at once, so that the engine is nobody's child and outlives us."""
    config = folder / "daemon.json"
    config.write_text(json.dumps(_daemon_config(folder)))
    line = 'setsid dockerd --config-file "$1" >>"$2" 2>&1 </dev/null & echo $!'
    pid = command.answer("sh", "-c", line, "sh", config, log)
    (folder / "dockerd.pid").write_text(pid)
    return int(pid)


def _daemon_config(folder: Path) -> dict[str, object]:
    if _may_raise_limits():
        return {}
    runc = folder / "runc-bounded"
    runc.write_text(RUNC_FILTER)
    runc.chmod(0o755)
    return {"default-runtime": "bounded", "runtimes": {"bounded": {"path": str(runc)}}}


def _may_raise_limits() -> bool:
    status = Path("/proc/self/status").read_text()
    bounding = next(line for line in status.splitlines() if line.startswith("CapBnd:"))
    return bool(int(bounding.split()[1], 16) >> CAP_SYS_RESOURCE & 1)


def _keep_cluster_ranges_here() -> None:
    """Until kube-proxy has rules, a packet to a Service follows the default route off the machine;
    traffic inside the cluster does not use these routes."""
    for cluster_range in CLUSTER_RANGES:
        command.answer("ip", "route", "replace", "unreachable", cluster_range)


def _folder(settings: Settings) -> Path:
    return settings.cache / "engine"


def _ours(settings: Settings) -> int | None:
    """A process id may have been given to another program since: look at what runs there."""
    try:
        pid = int((_folder(settings) / "dockerd.pid").read_text())
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
    except (OSError, ValueError):
        return None
    return pid if str(_folder(settings) / "daemon.json") in words else None


def _forget_the_dead() -> None:
    """A killed engine leaves the numbers of its processes; were one given to another program
    since, the next engine would believe that it runs already."""
    for file, name in PID_FILES.items():
        path = Path(file)
        if path.exists() and name not in _program(path.read_text().strip()):
            path.unlink()


def _program(pid: str) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text()
    except OSError:
        return ""


def _has_ended(pid: int) -> bool:
    """A zombie has: whoever should ask for its status never will on a machine without init."""
    try:
        return ") Z" in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return True
