"""Operators that start at once: the next one has its imports behind it and waits.

The same program, process and signals as `python -m microservice_operator`; only arguments and
environment come later. For tests that start it many times."""

import json
import os
import subprocess
import sys
from pathlib import Path

from microservice_operator.__main__ import main

COMMAND = (sys.executable, "-P", __file__)


class Spare:
    """Always one process that waits."""

    def __init__(self) -> None:
        self._next = self._begin()

    def start(self, environment: dict[str, str], log: Path) -> "subprocess.Popen[bytes]":
        child, self._next = self._next, self._begin()
        assert child.stdin is not None
        child.stdin.write(json.dumps([environment, str(log)]).encode() + b"\n")
        child.stdin.close()
        return child

    def end(self) -> None:
        self._next.kill()
        self._next.communicate()

    def _begin(self) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(COMMAND, stdin=subprocess.PIPE)


def become_an_operator() -> int:
    if not (line := sys.stdin.readline()):
        return 0
    environment, log = json.loads(line)
    os.environ.clear()
    os.environ.update(environment)
    output = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.dup2(output, 1)
    os.dup2(output, 2)
    return main([])


if __name__ == "__main__":
    sys.exit(become_an_operator())
