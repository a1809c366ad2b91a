"""The end of a process: first not ready, then no new work, then gone."""

import asyncio


class Drain:
    """`draining`: tell probes and clients. `stopping`: end event streams, fetch nothing more."""

    def __init__(self) -> None:
        self.draining = False
        self.stopping = asyncio.Event()

    def begin(self) -> None:
        self.draining = True

    def stop(self) -> None:
        self.draining = True
        self.stopping.set()
