"""A machine's prerequisites: what runs is used untouched, what is missing is said."""

import json
import os
import threading
from pathlib import Path

import pytest
from e2e.cluster import engine, packages, tools
from e2e.cluster.errors import Problem, explain
from e2e.cluster.settings import Settings


class Machine:
    """A folder of programs that stand before those of the real machine."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.calls = folder / "calls"
        self.calls.touch()

    def has(self, name: str, script: str) -> None:
        program = self.folder / name
        program.write_text(f'#!/bin/sh\necho "{name} $*" >>{self.calls}\n{script}\n')
        program.chmod(0o755)

    def ran(self) -> str:
        return self.calls.read_text()


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(engine, "PID_FILES", {})
    machine = Machine(tmp_path)
    machine.has("docker", "exit 1")
    machine.has("dpkg-query", "exit 1")
    machine.has("apt-get", "exit 0")
    machine.has("dockerd", "exit 1")
    machine.has("ip", "exit 0")
    return machine


def settings(folder: Path, *, install: bool = True) -> Settings:
    return Settings(cache=folder / "cache", run=folder / "run", install=install)


def test_an_engine_that_answers_is_used_untouched(machine: Machine, tmp_path: Path) -> None:
    machine.has("docker", "echo 27.0")
    engine.ensure(settings(tmp_path))
    engine.stop_if_ours(settings(tmp_path))
    assert machine.ran().splitlines() == ["docker info --format {{.ServerVersion}}"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gets as far as the installation")
def test_install_no_prints_the_commands_and_runs_none(machine: Machine, tmp_path: Path) -> None:
    with pytest.raises(Problem) as problem:
        engine.ensure(settings(tmp_path, install=False))
    assert "apt-get update && apt-get install -y -qq docker.io" in explain(problem.value)
    assert "apt-get" not in machine.ran()


def test_without_root_the_commands_are_named(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(Problem, match="only root") as problem:
        packages.ensure(settings(tmp_path), "mmdebstrap", why="an image has to be built")
    assert "run as root: apt-get update && apt-get install" in explain(problem.value)
    assert "apt-get" not in machine.ran()


def test_packages_that_are_there_are_not_installed(machine: Machine, tmp_path: Path) -> None:
    machine.has("dpkg-query", "printf installed")
    packages.ensure(settings(tmp_path, install=False), "iptables", why="it is needed")
    assert "apt-get" not in machine.ran()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may install")
def test_two_runs_install_one_after_the_other(machine: Machine, tmp_path: Path) -> None:
    """One that needs the same package finds it there when it is its turn."""
    there = tmp_path / "there"
    machine.has("dpkg-query", f"test -e {there} && printf installed")
    machine.has("apt-get", f'if [ "$1" = install ]; then sleep 0.5; touch {there}; fi')
    runs = [
        threading.Thread(
            target=packages.ensure,
            args=(settings(tmp_path), "chromium"),
            kwargs={"why": "a browser is needed"},
        )
        for _ in range(2)
    ]
    for run in runs:
        run.start()
    for run in runs:
        run.join(20)
    assert machine.ran().count("apt-get install") == 1


def test_a_program_of_a_service_is_taken_out_of_its_package_once_and_not_installed(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path) + os.pathsep + "/usr/bin:/bin")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    machine.has("apt-get", 'if [ "$1" = download ]; then touch prometheus_2_amd64.deb; fi')
    machine.has("dpkg-deb", 'mkdir -p "$3/usr/bin" && touch "$3/usr/bin/promtool"')
    for _ in range(2):
        assert packages.taken_out(settings(tmp_path), "prometheus").exists()
    assert machine.ran().count("apt-get download prometheus") == 1
    assert "apt-get install" not in machine.ran()


def test_a_program_that_the_machine_has_is_used(machine: Machine, tmp_path: Path) -> None:
    machine.has("promtool", "exit 0")
    found = packages.taken_out(settings(tmp_path, install=False), "prometheus")
    assert found == tmp_path / "promtool"
    assert machine.ran() == ""


def test_a_process_that_took_over_the_number_of_our_engine_is_left_alone(
    machine: Machine, tmp_path: Path
) -> None:
    folder = tmp_path / "cache" / "engine"
    folder.mkdir(parents=True)
    (folder / "dockerd.pid").write_text(str(os.getpid()))
    engine.stop_if_ours(settings(tmp_path))
    assert machine.ran() == ""


def test_a_number_that_a_killed_engine_left_behind_is_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stale, live = tmp_path / "docker.pid", tmp_path / "containerd.pid"
    stale.write_text(str(os.getpid()))
    live.write_text(str(os.getpid()))
    mine = Path("/proc/self/comm").read_text().strip()
    monkeypatch.setattr(engine, "PID_FILES", {str(stale): "dockerd", str(live): mine})
    engine._forget_the_dead()
    assert not stale.exists()
    assert live.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts an engine")
def test_an_engine_that_does_not_start_shows_its_log(machine: Machine, tmp_path: Path) -> None:
    machine.has("dpkg-query", "printf installed")
    machine.has("dockerd", "echo no space left; exit 1")
    with pytest.raises(Problem, match="did not start") as problem:
        engine.ensure(settings(tmp_path))
    assert "no space left" in explain(problem.value)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts an engine")
def test_a_machine_without_the_right_to_raise_limits_gets_a_filter_before_runc(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "_may_raise_limits", lambda: False)
    machine.has("dpkg-query", "printf installed")
    machine.has("dockerd", f"touch {tmp_path}/started; trap 'kill $!' TERM; sleep 30 & wait")
    machine.has("docker", f"test -e {tmp_path}/started && echo 20.10")
    engine.ensure(settings(tmp_path))
    config = json.loads((tmp_path / "cache" / "engine" / "daemon.json").read_text())
    runc = Path(config["runtimes"][config["default-runtime"]]["path"])
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    (bundle / "config.json").write_text('["CAP_CHOWN","CAP_SYS_RESOURCE","CAP_KILL"]')
    machine.has("runc", "exit 0")
    assert os.spawnv(os.P_WAIT, runc, [str(runc), "create", "--bundle", str(bundle), "x"]) == 0
    assert (bundle / "config.json").read_text() == '["CAP_CHOWN","CAP_KILL"]'
    assert f"runc create --bundle {bundle} x" in machine.ran()
    engine.stop_if_ours(settings(tmp_path))
    assert not (tmp_path / "cache" / "engine" / "dockerd.pid").exists()


@pytest.mark.parametrize(
    ("tool", "printed", "good"),
    [
        (tools.KUBECTL, "Client Version: v1.35.4\nKustomize Version: v5.7.1", True),
        (tools.KUBECTL, "Client Version: v1.32.1\nKustomize Version: v5.5.0", False),
        (tools.KUBECTL, "", False),
        (tools.HELM, "v3.19.0+g1234567", True),
        (tools.HELM, "v3.9.0+g1234567", False),
        (tools.HELM, "v4.3.1+g1234567", True),
        (tools.KIND, "kind v0.33.0 go1.26.0 linux/amd64", True),
        (tools.KIND, "kind v0.20.0 go1.20.4 linux/amd64", False),
    ],
)
def test_a_tool_of_the_host_is_taken_if_its_version_will_do(
    tool: tools.Tool, printed: str, good: bool
) -> None:
    assert tools.will_do(tool, printed) is good
