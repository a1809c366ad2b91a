"""Which part is running, for how long, and how long it usually takes; written to stderr."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

HEARTBEAT = 60.0  # seconds between signs of life where there is no terminal
QUIET = 1.0  # a step shorter than this, in seconds, leaves no line


def duration(seconds: float) -> str:
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


@dataclass
class Step:
    title: str
    usual: str
    began: float = field(default_factory=time.monotonic)

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self.began

    def line(self) -> str:
        return f"{self.title}{f' (usually {self.usual})' if self.usual else ''}"


class Progress:
    """On a terminal one live line; elsewhere a line at the start, one a minute, one at the end."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._steps: list[Step] = []
        self._live = False

    @property
    def terminal(self) -> bool:
        return sys.stderr.isatty() and os.environ.get("TERM") != "dumb"

    def say(self, text: str) -> None:
        with self._lock:
            self._clear()
            print(self._indent() + text, file=sys.stderr, flush=True)

    @contextmanager
    def step(self, title: str, usual: str = "") -> Iterator[None]:
        step = Step(title, usual)
        if not self.terminal:
            self.say(step.line())
        self._steps.append(step)
        done = threading.Event()
        ticker = threading.Thread(target=self._tick, args=(step, done), daemon=True)
        ticker.start()
        try:
            yield
        finally:
            done.set()
            ticker.join()
            self._steps.pop()
            self._finish(step)

    def _finish(self, step: Step) -> None:
        verdict = "stopped after" if sys.exc_info()[0] else "took"
        if step.elapsed >= QUIET:
            self.say(f"{step.title}: {verdict} {duration(step.elapsed)}")
        else:
            self._clear()

    def _tick(self, step: Step, done: threading.Event) -> None:
        while not done.wait(1.0 if self.terminal else HEARTBEAT):
            if self._steps and self._steps[-1] is step:
                self._show(step)

    def _show(self, step: Step) -> None:
        text = f"{step.line()}: {duration(step.elapsed)}"
        with self._lock:
            if not self.terminal:
                print(f"{self._indent()}still at {text}", file=sys.stderr, flush=True)
                return
            self._clear()
            print(self._indent() + text, end="", file=sys.stderr, flush=True)
            self._live = True

    def _clear(self) -> None:
        if self._live:
            print("\r\033[K", end="", file=sys.stderr, flush=True)
            self._live = False

    def _indent(self) -> str:
        return "  " * len(self._steps)


progress = Progress()
