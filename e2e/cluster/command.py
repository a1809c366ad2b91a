"""Other programs: started in a process group of their own, so that Ctrl-C ends all of it."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from e2e.cluster.errors import Problem, last_lines

Words = Sequence[str | Path]


class CommandFailed(Problem):
    """The command answered with a status other than 0; `output` holds what it printed."""

    def __init__(self, words: Words, status: int, output: str, log: Path | None) -> None:
        shown = shlex.join(str(word) for word in words[:6]) + (" …" if len(words) > 6 else "")
        tail = "" if log else "\n".join(output.strip().splitlines()[-15:])
        super().__init__(f"`{shown}` ended with status {status}\n{tail}".rstrip(), log=log)
        self.status = status
        self.output = output


def run(
    *words: str | Path,
    log: Path | None = None,
    given: str | bytes | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    timeout: float | None = None,
) -> str:
    """What the command printed (both streams), or with `log` nothing: it goes to that file."""
    process, output = _start(words, log=log, given=given, env=env, cwd=cwd, timeout=timeout)
    if process.returncode != 0:
        text = last_lines(log, 200) if log else output
        raise CommandFailed(words, process.returncode, text, log)
    return output


def answer(*words: str | Path, env: Mapping[str, str] | None = None, timeout: float = 60) -> str:
    """Standard output alone, stripped; "" where the command fails, is missing or is too slow."""
    try:
        done = subprocess.run(
            [str(word) for word in words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env={**os.environ, **(env or {})},
            timeout=timeout,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode(errors="replace").strip() if done.returncode == 0 else ""


def output(*words: str | Path, env: Mapping[str, str] | None = None) -> str:
    """Standard output alone; a failure shows the other stream. For what answers soon."""
    done = subprocess.run(
        [str(word) for word in words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env={**os.environ, **(env or {})},
    )
    if done.returncode != 0:
        raise CommandFailed(words, done.returncode, done.stderr.decode(errors="replace"), None)
    return done.stdout.decode()


def _start(
    words: Words,
    *,
    log: Path | None,
    given: str | bytes | None,
    env: Mapping[str, str] | None,
    cwd: Path | None,
    timeout: float | None,
) -> tuple[subprocess.Popen[bytes], str]:
    if log:
        log.parent.mkdir(parents=True, exist_ok=True)
    sink = log.open("ab") if log else subprocess.PIPE
    try:
        process = subprocess.Popen(
            [str(word) for word in words],
            stdin=subprocess.DEVNULL if given is None else subprocess.PIPE,
            stdout=sink,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(env or {})},
            cwd=cwd,
            start_new_session=True,
        )
        text = given.encode() if isinstance(given, str) else given
        return process, _finish(process, words, text, timeout)
    except FileNotFoundError as missing:
        raise Problem(f"{words[0]} is not installed") from missing
    finally:
        if not isinstance(sink, int):
            sink.close()


def _finish(
    process: subprocess.Popen[bytes], words: Words, given: bytes | None, timeout: float | None
) -> str:
    try:
        output, _ = process.communicate(given, timeout)
    except subprocess.TimeoutExpired:
        _abandon(process)
        raise Problem(f"`{words[0]} {words[1]}` gave no answer for {timeout:.0f} s") from None
    except BaseException:
        _abandon(process)
        raise
    return (output or b"").decode(errors="replace")


def _abandon(process: subprocess.Popen[bytes]) -> None:
    end(process)
    for stream in (process.stdin, process.stdout):
        if stream:
            stream.close()


def end(process: subprocess.Popen[bytes]) -> None:
    """Ask the whole group to stop; insist after 5 seconds."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, sign)
            process.wait(5)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue
        return
