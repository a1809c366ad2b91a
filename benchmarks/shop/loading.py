"""`shop load` as a process of its own, so that what it takes is not counted as the shop's."""

from __future__ import annotations

import asyncio
import json
import sys
from collections import deque
from typing import Any

from benchmarks.shop.rig import Stage
from e2e.cluster.errors import Problem

Figures = dict[str, Any]
BEGIN = "begin:"  # the last line before the first arrival


class Loading:
    """One load, from its start to its figures."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._said: deque[str] = deque(maxlen=10)

    @classmethod
    async def start(
        cls, stage: Stage, mode: str, *, rate: float, seconds: float, more: tuple[str, ...] = ()
    ) -> Loading:
        """Returns when the first arrival is due."""
        bounds = [f"--rate={rate:g}", f"--seconds={seconds:g}", "--most=1000000"]
        words = [mode, *bounds, *stage.load, *more, f"--record={stage.record}", "--output=json"]
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-E", "-m", "shop", "load", *words),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        loading = cls(process)
        await loading._until(BEGIN)
        return loading

    async def figures(self) -> Figures:
        """When it is over; raises Problem when it broke off."""
        await self._until("")
        assert self._process.stdout is not None
        found = await self._process.stdout.read()
        await self._process.wait()
        try:
            return dict(json.loads(found))
        except json.JSONDecodeError:
            raise Problem(f"shop load ended early: {' / '.join(self._said)}") from None

    async def _until(self, line: str) -> None:
        """Or to the end."""
        assert self._process.stderr is not None
        async for said in self._process.stderr:
            self._said.append(said.decode().strip())
            if line and self._said[-1].startswith(line):
                return
