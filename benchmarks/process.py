"""A program that runs beside the measurement, its log, and its end."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from e2e.cluster.errors import Problem
from e2e.cluster.settings import REPOSITORY

STOPS_WITHIN = 30.0  # seconds
LOOK = 1.0


class Process:
    """May be started again after its end, with the same words and environment."""

    def __init__(
        self,
        name: str,
        words: Sequence[str | Path],
        log: Path,
        env: Mapping[str, str] | None = None,
        *,
        piped: bool = False,
    ) -> None:
        self.name = name
        self.log = log
        self._words = [str(word) for word in words]
        self._env = {**os.environ, **(env or {})}
        self._piped = piped
        self._child: subprocess.Popen[bytes] | None = None
        self._stopped = False

    @property
    def child(self) -> subprocess.Popen[bytes]:
        if self._child is None:
            raise Problem(f"{self.name} was not started")
        return self._child

    @property
    def pid(self) -> int:
        return self.child.pid

    def start(self) -> None:
        with self.log.open("ab") as log:
            pipe = subprocess.PIPE if self._piped else None
            # In a group of its own: Ctrl-C is for the runner, which ends it in order.
            self._child = subprocess.Popen(
                self._words,
                env=self._env,
                stdin=pipe or subprocess.DEVNULL,
                stdout=pipe or log,
                stderr=log,
                cwd=REPOSITORY,
                start_new_session=True,
            )
            self._stopped = False

    def check(self) -> None:
        """Raises Problem if it ended by itself."""
        if not self._stopped and (status := self.child.poll()) is not None:
            raise Problem(f"{self.name} ended with status {status}", log=self.log)

    async def watched(self) -> None:
        """For ever, or until it ends by itself: Problem."""
        while True:
            self.check()
            await asyncio.sleep(LOOK)

    def stop(self, sign: signal.Signals = signal.SIGTERM) -> None:
        if self._child is None or self._child.poll() is not None:
            return
        self._stopped = True
        self._child.send_signal(sign)
        try:
            self._child.wait(STOPS_WITHIN)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
