"""The processes of `shop.processes`; here they may also die at a crash point."""

from __future__ import annotations

import signal
from pathlib import Path

from tests.shop.dying import ARMED

from shop import processes
from shop.processes import NAMES, PATIENCE, POLL, WITH_DATABASE, broker, restart
from shopkit.testing import until

__all__ = ["NAMES", "PATIENCE", "WITH_DATABASE", "Processes", "broker", "restart"]


class Processes(processes.Processes):
    home = Path(__file__).parents[2]  # of the module tests.shop.dying

    async def start_dying(self, name: str, point: str, hit: int) -> None:
        """Ready, and armed: it will kill itself at this crash point."""
        self._running[name] = self._run(name, "-m", "tests.shop.dying", name, point, str(hit))
        await self.ready(name)
        armed = self.log(name).count(ARMED)
        self._running[name].send_signal(signal.SIGUSR1)
        await until(lambda: self.log(name).count(ARMED) > armed, PATIENCE, POLL)

    async def died(self, name: str) -> None:
        """Until it has killed itself."""
        process = self._running[name]
        await until(lambda: process.poll() is not None, PATIENCE, POLL)
        assert process.returncode == -signal.SIGKILL, self.log(name)[-2000:]

    async def stopped(self, name: str) -> int:
        """The exit code after a SIGTERM."""
        process = self._running[name]
        process.terminate()
        await until(lambda: process.poll() is not None, PATIENCE, POLL)
        return process.returncode
