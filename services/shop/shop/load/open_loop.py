"""The generator: every arrival starts when it is due, answered or not."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from shop.load.figures import percentile
from shop.load.plan import Plan
from shop.load.tally import Tally

MOST_UNANSWERED = 2000
CALM_DOWN = 2.0  # seconds for what is under way when the load is broken off
# More, and what is measured is the generator.
MOST_CPU, MOST_LATE = 0.85, 0.02
LONG = 0.2
SAY_EVERY = 5.0
Say = Callable[[str], None]


class Mode(Protocol):
    """`main`: the function that one arrival is about."""

    main: str

    async def prepare(self) -> None: ...

    async def arrive(self, number: int, due: float) -> None: ...


@dataclass
class Run:
    """What the generator knows of itself; `cpu` in cores, `lates` in seconds after an arrival
    was due."""

    began: float
    ended: float = 0.0
    cpu: float = 0.0
    lates: list[float] = field(default_factory=list)
    shed: int = 0
    interrupted: bool = False

    @property
    def late_p99(self) -> float:
        return percentile(self.lates, 0.99) if self.lates else 0.0

    def warning(self) -> str:
        """Why the figures say more of the generator than of the shop; "" when they do not."""
        signs = []
        if self.cpu > MOST_CPU:
            signs.append(f"took {self.cpu:.0%} of a core")
        if self.late_p99 > MOST_LATE:
            signs.append(f"was {1000 * self.late_p99:.0f} ms late with one arrival in a hundred")
        if not signs:
            return ""
        return f"the generator {' and '.join(signs)}: it, or the machine, was the bottleneck"


async def drive(plan: Plan, mode: Mode, tally: Tally, say: Say, stop: asyncio.Event) -> Run:
    """All arrivals and their answers, or those until `stop`."""
    run, cpu = Run(time.monotonic()), time.process_time()
    said = run.began
    tasks: set[asyncio.Task[None]] = set()
    async with asyncio.TaskGroup() as group:
        for number in range(plan.count):
            due = run.began + plan.due(number)
            if await _stopped(due, stop):
                break
            run.lates.append(time.monotonic() - due)
            if len(tasks) < MOST_UNANSWERED:
                task = group.create_task(mode.arrive(number, due))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
            else:
                run.shed += 1
                tally.not_sent(mode.main, due, f"not sent, {MOST_UNANSWERED} are unanswered")
            if time.monotonic() - said >= SAY_EVERY:
                said = time.monotonic()
                passed = f"{said - run.began:.0f} s: {number + 1} of {plan.count}"
                say(f"{passed}, {len(tasks)} under way")
        await _answers(tasks, stop)
    run.ended, run.interrupted = time.monotonic(), stop.is_set()
    run.cpu = (time.process_time() - cpu) / (run.ended - run.began)
    return run


async def _stopped(due: float, stop: asyncio.Event) -> bool:
    """Waits until it is time, or until the load is broken off."""
    rest = due - time.monotonic()
    if rest > LONG:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(rest):
                await stop.wait()
    elif rest > 0:
        await asyncio.sleep(rest)  # cheaper, and nobody notices
    return stop.is_set()


async def _answers(tasks: set[asyncio.Task[None]], stop: asyncio.Event) -> None:
    """Every request has a time-out of its own; a person who wants to leave waits less."""
    stopped = asyncio.create_task(stop.wait())
    try:
        while tasks and not stop.is_set():
            await asyncio.wait({*tasks, stopped}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopped.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=CALM_DOWN)
    for task in tasks:
        task.cancel()
