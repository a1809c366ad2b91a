import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from copy import deepcopy
from typing import Any

import pytest
from tests.fakeclock import FakeClock, settle

from microservice_operator.errors import ApiError
from microservice_operator.lease import Lease


class LeaseServer:
    """One Lease object; `down` refuses everything, `lost` does the work and drops the answer."""

    def __init__(self) -> None:
        self.lease: dict[str, Any] | None = None
        self.down: set[str] = set()  # identities that cannot reach it
        self.lost = False
        self.writes = 0
        self._version = 0
        self._watches: set[asyncio.Queue[Any]] = set()

    def client(self, identity: str) -> "Client":
        return Client(self, identity)

    @property
    def holder(self) -> str | None:
        return ((self.lease or {}).get("spec") or {}).get("holderIdentity")

    def write(self, spec: dict[str, Any]) -> Any:
        self._version += 1
        self.writes += 1
        merged = {**((self.lease or {}).get("spec") or {}), **spec}
        spec = {k: v for k, v in merged.items() if v is not None}
        self.lease = {"metadata": {"resourceVersion": str(self._version)}, "spec": spec}
        for watch in self._watches:
            watch.put_nowait({"type": "MODIFIED", "object": deepcopy(self.lease)})
        return deepcopy(self.lease)


class Client:
    def __init__(self, server: LeaseServer, identity: str) -> None:
        self._server, self._identity = server, identity

    def _reach(self) -> None:
        if self._identity in self._server.down:
            raise ApiError(0, "ConnectionError", "down")

    async def get_lease(self) -> Any:
        self._reach()
        if self._server.lease is None:
            raise ApiError(404, "NotFound", "no lease")
        return deepcopy(self._server.lease)

    async def create_lease(self, spec: dict[str, Any]) -> Any:
        self._reach()
        if self._server.lease is not None:
            raise ApiError(409, "AlreadyExists", "there is one")
        return self._server.write(spec)

    async def patch_lease(self, version: str, spec: dict[str, Any]) -> Any:
        self._reach()
        assert self._server.lease is not None
        if version != self._server.lease["metadata"]["resourceVersion"]:
            raise ApiError(409, "Conflict", "modified")
        answer = self._server.write(spec)
        if self._server.lost:
            self._server.lost = False
            raise ApiError(0, "ConnectionError", "reply lost")
        return answer

    async def watch_lease(self, version: str) -> AsyncGenerator[Any, None]:
        self._reach()
        watch: asyncio.Queue[Any] = asyncio.Queue()
        self._server._watches.add(watch)
        try:
            while True:
                event = await watch.get()
                self._reach()
                yield event
        finally:
            self._server._watches.discard(watch)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def server() -> LeaseServer:
    return LeaseServer()


@asynccontextmanager
async def running(server: LeaseServer, clock: FakeClock, name: str) -> AsyncIterator[Lease]:
    lease = Lease(server.client(name), name, clock, lambda held: None)
    task = asyncio.ensure_future(lease.run())
    await settle()
    try:
        yield lease
    finally:
        task.cancel()
        await asyncio.wait([task])


async def test_the_first_one_takes_a_lease_that_nobody_has(
    server: LeaseServer, clock: FakeClock
) -> None:
    async with running(server, clock, "a") as a:
        assert a.held
        assert server.holder == "a"


async def test_only_one_holds_it_and_an_hour_costs_720_writes(
    server: LeaseServer, clock: FakeClock
) -> None:
    async with running(server, clock, "a") as a, running(server, clock, "b") as b:
        before = server.writes
        await clock.advance(3600)
        assert (a.held, b.held) == (True, False)
        assert server.writes - before == 720


async def test_the_standby_takes_over_at_once_when_it_is_released(
    server: LeaseServer, clock: FakeClock
) -> None:
    async with running(server, clock, "b") as holder, running(server, clock, "a") as standby:
        await holder.release()
        await settle()
        assert standby.held
        assert not holder.held
        assert clock.seconds == 0


async def test_the_standby_takes_over_15_s_after_the_last_sign_of_a_killed_holder(
    server: LeaseServer, clock: FakeClock
) -> None:
    async with running(server, clock, "b") as standby_to_be:
        assert standby_to_be.held
    async with running(server, clock, "a") as standby:
        await clock.advance(14.9)
        assert not standby.held
        await clock.advance(0.2)
        assert standby.held
        assert server.holder == "a"


async def test_a_holder_that_cannot_renew_takes_no_keys_after_10_s_and_resumes(
    server: LeaseServer, clock: FakeClock
) -> None:
    async with running(server, clock, "a") as a:
        server.down.add("a")
        await clock.advance(9.9)
        assert a.held
        await clock.advance(0.2)
        assert not a.held
        await clock.advance(300)
        assert not a.held
        server.down.clear()
        await clock.advance(5)
        assert a.held


async def test_a_partitioned_holder_finds_another_one_and_stands_by(
    server: LeaseServer, clock: FakeClock
) -> None:
    async with running(server, clock, "a") as a, running(server, clock, "b") as b:
        server.down.add("a")
        await clock.advance(16)
        assert (a.held, b.held) == (False, True)
        server.down.clear()
        await clock.advance(60)
        assert (a.held, b.held) == (False, True)


async def test_never_two_at_a_time_whatever_is_cut_off(
    server: LeaseServer, clock: FakeClock
) -> None:
    async with running(server, clock, "a") as a, running(server, clock, "b") as b:
        for second in range(120):
            server.down = {"a"} if second % 40 < 20 else {"b"} if second % 40 < 30 else set()
            await clock.advance(1)
            assert not (a.held and b.held)


async def test_a_lost_reply_to_a_renewal_does_not_lose_the_lease(
    server: LeaseServer, clock: FakeClock
) -> None:
    async with running(server, clock, "a") as a:
        server.lost = True
        await clock.advance(5)
        await clock.advance(3)
        assert a.held
        await clock.advance(20)
        assert a.held


async def test_release_works_although_the_last_reply_was_lost(
    server: LeaseServer, clock: FakeClock
) -> None:
    async with running(server, clock, "a") as a:
        server.lost = True
        await clock.advance(5)
        await a.release()
        assert server.holder is None


async def test_a_deleted_lease_is_made_again(server: LeaseServer, clock: FakeClock) -> None:
    async with running(server, clock, "a") as a:
        server.lease = {"metadata": {"resourceVersion": "999"}, "spec": {}}
        await clock.advance(30)
        assert a.held
        assert server.holder == "a"


async def test_one_that_never_held_it_releases_nothing(
    server: LeaseServer, clock: FakeClock
) -> None:
    async with running(server, clock, "a"), running(server, clock, "b") as b:
        before = server.writes
        await b.release()
        assert (server.holder, server.writes) == ("a", before)
