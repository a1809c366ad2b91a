"""Who may write: one Lease, renewed by its holder, watched by all others."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import aclosing
from typing import Any, Protocol

from microservice_operator.clock import Clock
from microservice_operator.errors import ApiError

DURATION = 15.0  # seconds after the last renewal until others may take over
RENEWAL = 5.0
TRUST = 10.0  # seconds after the last renewal that we still take keys; less than DURATION
RETRY = 1.0
FAREWELL = 2.0  # seconds that a process which ends spends on handing over

log = logging.getLogger(__name__)


class LeaseApi(Protocol):
    """The requests of this module; each raises ApiError and returns the Lease object."""

    async def get_lease(self) -> Any: ...
    async def create_lease(self, spec: dict[str, Any]) -> Any: ...
    async def patch_lease(self, version: str, spec: dict[str, Any]) -> Any: ...
    def watch_lease(self, version: str) -> AsyncGenerator[Any, None]: ...


class Lease:
    """`held` is a matter of our own clock alone: a process that was frozen knows it at once."""

    def __init__(
        self, api: LeaseApi, identity: str, clock: Clock, on_change: Callable[[bool], None]
    ) -> None:
        self.identity = identity
        self._api = api
        self._clock = clock
        self._on_change = on_change
        self._until = float("-inf")
        self._told = False
        self._version = ""
        self._spec: dict[str, Any] = {}
        self._moved_at = 0.0  # when the Lease last changed before our eyes, by our clock

    @property
    def held(self) -> bool:
        return self._clock.monotonic() < self._until

    async def run(self) -> None:
        """Acquire, hold, lose, and so on, until cancelled."""
        while True:
            try:
                await self._read()
                await self._stand_by()
                await self._hold()
            except ApiError as error:
                log.warning("lease: %s", error)
            self._tell()
            await self._clock.sleep(self._clock.jitter(RETRY))

    async def release(self) -> None:
        """Let the standby take over at once; best effort, since it also expires."""
        if not self._ours:
            return
        self._until = float("-inf")
        self._tell()
        try:
            async with self._clock.timeout(FAREWELL):
                await self._give_back()
        except (ApiError, TimeoutError) as error:
            log.warning("lease: not released, it expires by itself: %s", error)

    async def _give_back(self) -> None:
        try:
            self._learn(await self._api.patch_lease(self._version, {"holderIdentity": None}))
        except ApiError as error:
            if error.code != 409:
                raise
            # A renewal was cut off on its way back: what we know is one version old.
            self._learn(await self._api.get_lease())
            if self._ours:
                self._learn(await self._api.patch_lease(self._version, {"holderIdentity": None}))

    @property
    def _ours(self) -> bool:
        return self._spec.get("holderIdentity") == self.identity

    async def _read(self) -> None:
        try:
            self._learn(await self._api.get_lease())
        except ApiError as error:
            if error.code != 404:
                raise
            self._learn(await self._api.create_lease({}))

    def _learn(self, lease: Any) -> None:
        """An unchanged Lease keeps its age: only what moves shows that its holder lives."""
        if (version := lease["metadata"]["resourceVersion"]) != self._version:
            self._version, self._spec = version, lease.get("spec") or {}
            self._moved_at = self._clock.monotonic()

    async def _stand_by(self) -> None:
        """Returns when the Lease is free, expired or already ours."""
        while not self._ours and self._spec.get("holderIdentity") and self._left > 0:
            await _first(self._next_change(), self._expired())

    async def _expired(self) -> None:
        while self._left > 0:
            await self._clock.sleep(self._left)

    @property
    def _left(self) -> float:
        duration = float(self._spec.get("leaseDurationSeconds") or DURATION)
        return self._moved_at + duration - self._clock.monotonic()

    async def _next_change(self) -> None:
        """Until the Lease is free or the server ends the watch: then look again."""
        async with aclosing(self._api.watch_lease(self._version)) as events:
            async for event in events:
                if event["type"] not in ("ADDED", "MODIFIED"):
                    raise ApiError(410, "Gone", "the watch of the Lease must start again")
                self._learn(event["object"])
                if not self._spec.get("holderIdentity"):
                    return

    async def _hold(self) -> None:
        """Renew until another one has the Lease; an API outage alone does not end it."""
        while True:
            try:
                await self._renew()
            except ApiError as error:
                log.warning("lease: not %s: %s", "renewed" if self._ours else "acquired", error)
                self._tell()
                await self._clock.sleep(RETRY)
                await self._reread(error)
                if not self._ours and self._left > 0:
                    return
            else:
                await self._clock.sleep(RENEWAL)

    async def _renew(self) -> None:
        asked = self._clock.monotonic()
        self._learn(await self._api.patch_lease(self._version, self._claim()))
        self._until = asked + TRUST
        self._tell()

    def _claim(self) -> dict[str, Any]:
        now = self._clock.precise()
        claim = {"renewTime": now, "leaseDurationSeconds": int(DURATION)}
        if self._ours:
            return claim
        transitions = int(self._spec.get("leaseTransitions") or 0) + 1
        return {
            **claim,
            "holderIdentity": self.identity,
            "acquireTime": now,
            "leaseTransitions": transitions,
        }

    async def _reread(self, error: ApiError) -> None:
        if error.code == 409:
            self._learn(await self._api.get_lease())

    def _tell(self) -> None:
        held = self.held
        if self._told != held:
            self._told = held
            log.info("lease %s by %s", "acquired" if held else "given up", self.identity)
        # Each time: our word may have run out and come back between two looks.
        self._on_change(held)


async def _first(*waits: Coroutine[Any, Any, None]) -> None:
    """Until one of them ends; raises what it raised."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    done.pop().result()
