"""The benchmark's counts: what an audit log says, and what a process list says."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from benchmarks import audit, meters
from benchmarks.audit import AuditGap
from benchmarks.meters import Process, Snapshot

OURS = "system:serviceaccount:bench-system:microservice-operator"


def entry(verb: str, resource: str, code: int = 200, sub: str = "", user: str = OURS) -> str:
    target = {"resource": resource, "namespace": "bench", "name": "s1", "subresource": sub}
    return json.dumps(
        {
            "user": {"username": user},
            "verb": verb,
            "objectRef": target,
            "responseStatus": {"code": code},
            "requestReceivedTimestamp": "2026-11-25T05:00:00.250000Z",
            "requestURI": "/apis/apps/v1/deployments?limit=500",
        }
    )


def written(path: Path, *lines: str) -> Path:
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def test_requests_are_counted_by_verb_resource_and_code(tmp_path: Path) -> None:
    log = written(
        tmp_path / "audit.log",
        entry("patch", "deployments", 201),
        entry("patch", "deployments", 201),
        entry("patch", "microservices", sub="status"),
    )
    found = audit.counted(audit.read(log, 0, log.stat().st_size))
    assert found == {"patch deployments 201": 2, "patch microservices/status 200": 1}
    assert audit.writes(found) == 3


def test_watches_the_lease_and_questions_about_rights_are_not_counted(tmp_path: Path) -> None:
    log = written(
        tmp_path / "audit.log",
        entry("watch", "services"),
        entry("patch", "leases"),
        entry("create", "selfsubjectaccessreviews"),
        entry("list", "services"),
    )
    found = audit.counted(audit.read(log, 0, log.stat().st_size))
    assert found == {"list services 200": 1}
    assert audit.writes(found) == 0


def test_only_what_lies_between_two_moments_is_read(tmp_path: Path) -> None:
    log = written(tmp_path / "audit.log", entry("get", "pods"))
    start = log.stat().st_size
    with log.open("a") as more:
        more.write(entry("delete", "services") + "\n")
    end = log.stat().st_size
    with log.open("a") as more:
        more.write(entry("get", "nodes") + "\n")
    assert [e.words for e in audit.read(log, start, end)] == ["delete services 200"]


def test_the_time_of_an_entry_is_when_it_was_received(tmp_path: Path) -> None:
    log = written(tmp_path / "audit.log", entry("get", "pods"))
    (found,) = audit.read(log, 0, log.stat().st_size)
    assert found.received == 1795582800.25


def test_a_damaged_line_is_a_gap_and_no_count(tmp_path: Path) -> None:
    log = written(tmp_path / "audit.log", entry("get", "pods"), '{"user": {"user')
    with pytest.raises(AuditGap, match="damaged at byte"):
        list(audit.read(log, 0, log.stat().st_size))


def snapshot(at: float, *processes: Process, stolen: float = 0.0) -> Snapshot:
    return Snapshot(at, {p.pid: p for p in processes}, stolen, total=at * 2)


def process(pid: int, cpu: float, name: str = "other", **more: Any) -> Process:
    given: dict[str, Any] = {"parent": 1, "started": 1} | more
    return Process(pid=pid, name=name, cpu=cpu, **given)


@pytest.fixture
def runner(monkeypatch: pytest.MonkeyPatch) -> int:
    """The runner's process id, in a machine where nothing else is real."""
    monkeypatch.setattr("benchmarks.meters.os.getpid", lambda: 100)
    monkeypatch.setattr("benchmarks.meters._cgroup", lambda pid: "/docker/node" if pid == 9 else "")
    return 100


def test_a_busy_stranger_is_noise_and_named_with_its_share(runner: int) -> None:
    before = snapshot(0.0, process(7, 1.0))
    after = snapshot(10.0, process(7, 2.0))
    assert meters.noise(before, after, "node").reasons() == ["other (pid 7) took 10% of a core"]


@pytest.mark.parametrize(
    "quiet",
    [
        process(7, 1.4),  # 4 % of a core
        process(8, 9.0, parent=100),  # the runner's own
        process(9, 9.0),  # in the node's container
        process(10, 9.0, name="kworker/0:1", parent=2),
        process(11, 9.0, name="containerd-shim"),
    ],
    ids=["idle", "own", "node", "kernel", "engine"],
)
def test_the_rig_itself_is_no_noise(runner: int, quiet: Process) -> None:
    before = snapshot(0.0, process(runner, 0.0), process(7, 1.0))
    after = snapshot(10.0, process(runner, 5.0), quiet)
    assert meters.noise(before, after, "node").reasons() == []


def test_a_process_id_that_was_given_again_starts_from_zero(runner: int) -> None:
    before = snapshot(0.0, process(7, 90.0, started=1))
    after = snapshot(10.0, process(7, 5.0, started=2))
    assert meters.noise(before, after, "node").reasons() == ["other (pid 7) took 50% of a core"]


def test_stolen_time_is_noise(runner: int) -> None:
    found = meters.noise(snapshot(0.0), snapshot(10.0, stolen=1.0), "node")
    assert found.reasons() == ["CPU steal 5.0%"]


def test_processor_time_and_memory_of_a_process_are_read() -> None:
    spent = meters.cpu(os.getpid())
    while meters.cpu(os.getpid()) == spent:  # ends with the next clock tick
        sum(range(1000))
    now = meters.rss_mb(os.getpid(), peak=False)  # first, since it may grow meanwhile
    assert meters.rss_mb(os.getpid(), peak=True) >= now > 1
    assert meters.cpu(2**30) == 0.0
