"""What /proc says: CPU time and memory of processes, stolen time, and who else is at work."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

PROC = Path("/proc")
TICK = os.sysconf("SC_CLK_TCK")
BUSY = 0.05  # of a core: more than this, and a process is at work
LOAD = 0.5
STEAL = 0.02
# What moves the traffic of the rig itself.
ENGINE = ("dockerd", "containerd", "containerd-shim", "docker-proxy", "docker", "runc")
KERNEL = 2  # the parent of all kernel threads


@dataclass(frozen=True, slots=True)
class Process:
    pid: int
    parent: int
    name: str
    cpu: float  # seconds, with those of children that have ended
    started: int  # in ticks since boot: tells a process from a later one of the same id


@dataclass(frozen=True)
class Snapshot:
    """All processes at one moment."""

    at: float
    processes: Mapping[int, Process]
    stolen: float
    total: float  # CPU time of the machine, idle included

    @classmethod
    def take(cls) -> Snapshot:
        processes = {process.pid: process for process in _all()}
        stolen, total = _machine()
        return cls(time.monotonic(), processes, stolen, total)


@dataclass(frozen=True)
class Noise:
    """What else went on between two snapshots."""

    steal: float
    busy: Mapping[str, float] = field(default_factory=dict)  # process -> share of a core

    def reasons(self) -> list[str]:
        found = [f"{who} took {share:.0%} of a core" for who, share in self.busy.items()]
        return found + ([f"CPU steal {self.steal:.1%}"] if self.steal > STEAL else [])


def noise(before: Snapshot, after: Snapshot, container: str) -> Noise:
    """`container`: part of the id of the node's container, whose processes are no noise."""
    seconds = after.at - before.at
    rig = _family(after.processes, os.getpid())
    busy = {}
    for process in after.processes.values():
        share = (process.cpu - _earlier(before, process)) / seconds
        if share <= BUSY or process.pid in rig or process.parent == KERNEL:
            continue
        if process.name.startswith(ENGINE) or (container and container in _cgroup(process.pid)):
            continue
        busy[f"{process.name} (pid {process.pid})"] = share
    machine = after.total - before.total
    return Noise((after.stolen - before.stolen) / machine if machine else 0.0, busy)


def too_loud(seconds: float = 2.0) -> list[str]:
    """Why nothing should be measured now; empty on a quiet machine."""
    before = Snapshot.take()
    time.sleep(seconds)
    reasons = noise(before, Snapshot.take(), "").reasons()
    load = os.getloadavg()[0]
    return reasons + ([f"load average {load:.2f}"] if load > LOAD else [])


def cpu(pid: int) -> float:
    """Seconds of user and system time; 0 once the process is gone."""
    found = _process(PROC / str(pid))
    return found.cpu if found else 0.0


def rss_mb(pid: int, *, peak: bool) -> float:
    key = "VmHWM:" if peak else "VmRSS:"
    try:
        lines = (PROC / str(pid) / "status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith(key)), 0.0)


def within(container: str, *names: str) -> list[int]:
    """The ids of the programs of these names in a container."""
    return [p.pid for p in _all() if p.name in names and container in _cgroup(p.pid)]


def machine() -> dict[str, object]:
    lines = (PROC / "cpuinfo").read_text().splitlines()
    model = next((line.partition(": ")[2] for line in lines if line.startswith("model name")), "")
    return {"cpu": model, "cores": os.cpu_count(), "kernel": os.uname().release}


def _earlier(before: Snapshot, process: Process) -> float:
    was = before.processes.get(process.pid)
    return was.cpu if was and was.started == process.started else 0.0


def _family(processes: Mapping[int, Process], root: int) -> set[int]:
    """The process, what it has started, and what has started it: they wait for it."""
    found = below(processes, root)
    above = processes.get(root)
    while above:
        found.add(above.pid)
        above = processes.get(above.parent)
    return found


def below(processes: Mapping[int, Process], root: int) -> set[int]:
    """The process and all that come from it."""
    found = {root}
    while more := {p.pid for p in processes.values() if p.parent in found} - found:
        found |= more
    return found


def _all() -> Iterator[Process]:
    for folder in PROC.iterdir():
        if folder.name.isdigit() and (found := _process(folder)):
            yield found


def _process(folder: Path) -> Process | None:
    try:
        text = (folder / "stat").read_text()
    except OSError:
        return None
    # The name may hold spaces and brackets.
    name, _, rest = text.partition("(")[2].rpartition(") ")
    fields = rest.split()
    used = sum(map(int, fields[11:15])) / TICK
    return Process(int(folder.name), int(fields[1]), name, used, int(fields[19]))


def _cgroup(pid: int) -> str:
    try:
        return (PROC / str(pid) / "cgroup").read_text()
    except OSError:
        return ""


def _machine() -> tuple[float, float]:
    values = [int(v) for v in (PROC / "stat").read_text().splitlines()[0].split()[1:9]]
    return values[7] / TICK, sum(values) / TICK
