"""`python -m tests.shop.dying SERVICE POINT HIT`: the service as it is, until SIGUSR1.

From then on it kills itself (SIGKILL) where it passes the crash point for the HITth time.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys

from shopkit import logs
from shopkit.app import World, serve
from shopkit.faults import CrashPoints

ARMED = "armed"


def main(name: str, point: str, hit: str) -> None:
    points = CrashPoints(on_crash=lambda _: os.kill(os.getpid(), signal.SIGKILL))

    def arm(*_: object) -> None:
        points.arm(point, int(hit))
        print(ARMED, flush=True)

    signal.signal(signal.SIGUSR1, arm)
    settings = getattr(importlib.import_module(f"{name}.settings"), f"{name.title()}Settings")()
    logs.configure(settings.log_level)
    serve(importlib.import_module(f"{name}.app").create_app(settings, World(points=points)))


if __name__ == "__main__":
    main(*sys.argv[1:])
