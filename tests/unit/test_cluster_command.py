"""Other programs: their failures are told, and nothing of them stays behind."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from e2e.cluster import command
from e2e.cluster.errors import Problem, explain
from e2e.cluster.waiting import wait_for


def test_a_failure_shows_what_the_command_printed_last() -> None:
    with pytest.raises(command.CommandFailed, match="status 3") as failed:
        command.run("sh", "-c", "echo before; echo the cause >&2; exit 3")
    assert "the cause" in explain(failed.value)


def test_a_failure_with_a_log_shows_its_end_and_where_it_is(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "build.log"
    with pytest.raises(command.CommandFailed) as failed:
        command.run("sh", "-c", "seq 100; exit 1", log=log)
    told = explain(failed.value)
    assert str(log) in told
    assert "| 100" in told
    assert "| 42" not in told


def test_a_missing_program_is_named() -> None:
    with pytest.raises(Problem, match="no-such-program is not installed"):
        command.run("no-such-program")


def test_an_answer_of_a_missing_or_failing_program_is_empty() -> None:
    assert command.answer("no-such-program") == ""
    assert command.answer("sh", "-c", "echo out; exit 1") == ""
    assert command.answer("sh", "-c", "echo out; echo err >&2") == "out"


def test_a_command_that_is_too_slow_is_ended_with_its_children(tmp_path: Path) -> None:
    with pytest.raises(Problem, match="no answer"):
        command.run("sh", "-c", f"sleep 60 & echo $! >{tmp_path}/child; wait", timeout=0.5)
    assert_gone(int((tmp_path / "child").read_text()))


def test_ctrl_c_ends_the_command_and_its_children(tmp_path: Path) -> None:
    # Whoever started the tests in the background has had SIGINT ignored for all below.
    program = f"""
import signal
from e2e.cluster import command
signal.signal(signal.SIGINT, signal.default_int_handler)
command.run("sh", "-c", "sleep 60 & echo $! >{tmp_path}/child; wait")
"""
    root = Path(__file__).parents[2]
    process = subprocess.Popen([sys.executable, "-c", program], cwd=root, stderr=subprocess.DEVNULL)
    child = int(wait_for_text(tmp_path / "child"))
    process.send_signal(signal.SIGINT)
    process.wait(10)
    assert_gone(child)


def wait_for_text(file: Path) -> str:
    text = wait_for(lambda: file.read_text().strip() if file.exists() else "", 10)
    assert text, f"{file} was not written"
    return text


def assert_gone(pid: int) -> None:
    assert wait_for(lambda: is_gone(pid), 10), f"process {pid} is still there"


def is_gone(pid: int) -> bool:
    """A zombie is gone, too: whoever adopted it has not asked for its status yet."""
    try:
        os.kill(pid, 0)
        stat = Path(f"/proc/{pid}/stat")
        return stat.exists() and ") Z" in stat.read_text()
    except (ProcessLookupError, FileNotFoundError):
        return True
