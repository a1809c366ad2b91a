"""An operator in a thread of its own: as far from the test as another process would be."""

import asyncio
import gc
import threading
import warnings
from collections.abc import Callable
from typing import Any

import uvloop
from tests.fakeapi import FakeApi

from microservice_operator import handlers
from microservice_operator.api.platform import Platform
from microservice_operator.app import App
from microservice_operator.clock import Clock
from microservice_operator.connection import Connection, Token
from microservice_operator.settings import Settings

PLATFORM = Platform.model_validate({"gateway": {"name": "public", "namespace": "gateway"}})


class Operator:
    """kopf needs a loop it does not share: it cancels every task it did not know at the start."""

    def __init__(
        self, api: FakeApi, user: str = "operator", *, speed: float, **settings: Any
    ) -> None:
        self.failure: BaseException | None = None
        self._connection = Connection(api.url, tls=None, token=Token(user), namespace="operator")
        self._clock = Clock(speed)
        self._settings = Settings(
            pod_name=user,
            pod_namespace="operator",
            **{"probe_port": 0, "metrics_port": 0, **settings},
        )
        self._loop: asyncio.AbstractEventLoop | None = None
        self._app: App | None = None
        self._task: asyncio.Task[None] | None = None
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run, name=user, daemon=True)

    async def start(self) -> "Operator":
        self._thread.start()
        await asyncio.to_thread(self._started.wait, 10)
        return self

    async def stop(self) -> None:
        """As on SIGTERM: passes end, the Lease is handed over."""
        if self._loop and self._app and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop)
        await self.ended()

    def _stop(self) -> None:
        assert self._app
        assert self._task
        if self._app.waits_for and not self._app.started:
            self._task.cancel()  # kopf does not run yet
        self._app.ended.set()

    async def ended(self) -> None:
        await asyncio.to_thread(self._thread.join, 15)
        assert not self._thread.is_alive(), "the operator does not stop"
        if self.failure:  # kopf leaves requests behind when it is stopped while it starts
            with warnings.catch_warnings(action="ignore", category=ResourceWarning):
                gc.collect()

    @property
    def app(self) -> App:
        """For looks that are safe from another thread: counters and flags."""
        assert self._app is not None
        return self._app

    async def until(self, holds: Callable[[App], object], seconds: float = 30.0) -> None:
        """Flags of another thread have no event to wait for."""
        async with asyncio.timeout(seconds):
            while not (self._app and holds(self._app)):  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(self._operate())
        except BaseException as error:
            self.failure = error
        finally:
            self._started.set()

    async def _operate(self) -> None:
        self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        self._app = App(self._settings, PLATFORM, self._connection, self._clock)
        self._started.set()
        await handlers.run(self._app, self._settings)
