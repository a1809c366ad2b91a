"""The command line as a whole: help, exit status, colours, interruption."""

import argparse
import os
import pty
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from tests.command import Msvc, service

from microservice_operator.settings import VERSION
from msvc.command import Command
from msvc.commands import COMMANDS
from msvc.exits import MEANINGS, Exit
from msvc.paint import Paint

REPOSITORY = Path(__file__).parents[2]
REFERENCE = (REPOSITORY / "docs" / "reference" / "msvc.md").read_text()
PROGRAM = (sys.executable, "-m", "msvc")


@pytest.fixture
def msvc(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Msvc:
    return Msvc(tmp_path, capsys)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_every_command_has_help_with_an_example_that_names_it(msvc: Msvc, command: Command) -> None:
    answer = msvc(command.name, "--help")
    assert answer.status == 0
    assert f"msvc {command.name}" in answer.out.partition("example:")[2]
    assert "-o {json,yaml}" in answer.out


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_the_reference_lists_every_argument_of_every_command(command: Command) -> None:
    part = REFERENCE.partition(f"## msvc {command.name}\n")[2].partition("\n## ")[0]
    parser = argparse.ArgumentParser()
    command.arguments(parser)
    for action in parser._actions[1:]:
        name = action.option_strings[-1] if action.option_strings else str(action.metavar)
        assert f"`{name}" in part or f", {name}" in part, name


def test_the_reference_lists_every_exit_status() -> None:
    for status, meaning in MEANINGS.items():
        assert f"| {status.value} | {meaning} |" in REFERENCE
    assert set(MEANINGS) == set(Exit)


def test_examples_of_the_help_are_commands_that_the_parser_knows(msvc: Msvc) -> None:
    known = {command.name for command in COMMANDS}
    for command in COMMANDS:
        assert set(re.findall(r"msvc (\w+)", command.example)) <= known


def test_both_entry_points_and_the_version(msvc: Msvc, monkeypatch: pytest.MonkeyPatch) -> None:
    assert msvc("--version").out == f"msvc {VERSION}\n"
    monkeypatch.setattr("sys.argv", ["/usr/local/bin/kubectl-msvc"])
    assert "kubectl msvc render" in msvc("render", "--help").out


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["unknown"],
        ["render"],
        ["render", "/nowhere/orders.yaml", "--settings", "/dev/null"],
        ["validate"],
        ["validate", "/nowhere"],
        ["validate", "/"],
        ["validate", "-o", "xml", "/dev/null"],
        ["restart", "orders", "--timeout", "0"],
        ["restart", "orders", "--timeout", "soon"],
        ["new", "Not_A_Name"],
        ["new", "orders", "--from", "/nowhere"],
        ["render", "/dev/null", "--settings", "/dev/null"],
    ],
    ids=str,
)
def test_wrong_use_is_status_2_with_a_sentence(msvc: Msvc, arguments: list[str]) -> None:
    answer = msvc(*arguments)
    assert answer.status == 2
    assert answer.err
    assert "Traceback" not in answer.err


def test_a_cluster_that_does_not_answer_is_status_3_at_once(msvc: Msvc) -> None:
    there = ("--kubeconfig", _kubeconfig(msvc.folder))
    began = time.monotonic()
    for command in (["tree", "orders"], ["pause", "orders"], ["restart", "orders", "--wait"]):
        answer = msvc(*command, *there)
        assert (answer.status, answer.out) == (3, "")
        assert "cannot be reached" in answer.err
    assert time.monotonic() - began < 10


def _kubeconfig(folder: Path) -> Path:
    """Of a port on which nobody listens."""
    path = folder / "config"
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:9"}}],
        "users": [{"name": "u", "user": {}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    path.write_text(yaml.safe_dump(content))
    return path


def _interruptible() -> None:
    """Whoever started the tests in the background has had SIGINT ignored for all below."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_ctrl_c_ends_it_with_130_and_without_a_trace(tmp_path: Path) -> None:
    """While it reads a file that does not end."""
    file = tmp_path / "endless.yaml"
    os.mkfifo(file)
    command = [*PROGRAM, "validate", str(file)]
    child = subprocess.Popen(
        command, stderr=subprocess.PIPE, start_new_session=True, preexec_fn=_interruptible
    )
    with file.open("w"):  # returns once it is being read
        child.send_signal(signal.SIGINT)
        _, told = child.communicate(timeout=60)
    assert child.returncode == 130
    assert told.strip() == b""


def test_a_reader_that_has_enough_is_no_error(tmp_path: Path) -> None:
    file = tmp_path / "many.yaml"
    file.write_text(yaml.safe_dump_all([service() for _ in range(300)]))
    script = (
        f"{' '.join(PROGRAM)} render {file} --settings /dev/null | head -1; exit ${{PIPESTATUS[0]}}"
    )
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("environment", "coloured"),
    [({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True), ({"TERM": "dumb"}, False)],
    ids=str,
)
def test_colours_are_for_terminals_that_want_them(
    environment: dict[str, str], coloured: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for key, value in environment.items():
        monkeypatch.setenv(key, value)
    outer, inner = pty.openpty()
    with os.fdopen(outer), os.fdopen(inner, "w") as terminal:
        assert Paint.of(terminal).on is coloured


def test_a_pipe_gets_no_colours(msvc: Msvc) -> None:
    assert "\033" not in msvc("validate", msvc.write(service({"replicas": -1}))).out


def test_the_hook_of_pre_commit_is_a_command_that_accepts_the_samples(msvc: Msvc) -> None:
    (hook,) = yaml.safe_load((REPOSITORY / ".pre-commit-hooks.yaml").read_text())
    program, *arguments = hook["entry"].split()
    assert (program, hook["additional_dependencies"]) == ("msvc", [".[cli]"])
    assert msvc(*arguments, *sorted((REPOSITORY / "crds" / "samples").iterdir())).status == 0
