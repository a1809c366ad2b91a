import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from itertools import islice
from typing import Any

import pytest
from tests.fakeclock import FakeClock, settle

from microservice_operator.api.kinds import Kind
from microservice_operator.errors import ApiError
from microservice_operator.handlers import Endless
from microservice_operator.informer import Informer
from microservice_operator.observed import Record, Ref
from microservice_operator.store import Store

KIND = Kind("v1", "Service", "services")
OPTIONAL = Kind("x.dev/v1", "Widget", "widgets", optional=True)


def item(name: str, version: int) -> dict[str, Any]:
    return {"metadata": {"name": name, "resourceVersion": str(version)}}


def as_record(kind: Kind, live: Mapping[str, Any]) -> Record:
    metadata = live["metadata"]
    ref = Ref(kind.kind, metadata["name"])
    return Record(ref, "shop", metadata["name"], int(metadata["resourceVersion"]), "owner", "d")


class Server:
    """Answers lists from `items`; a test puts events, or an error, into the current watch."""

    def __init__(self) -> None:
        self.pages_of: list[list[dict[str, Any]]] = [[]]
        self.version = 10
        self.errors: list[ApiError] = []
        self.lists: list[str] = []
        self.watches: list[int] = []
        self.stream: asyncio.Queue[Any] = asyncio.Queue()

    async def pages(
        self, kind: Kind, namespace: str, reason: str
    ) -> AsyncIterator[tuple[list[Any], int]]:
        self.lists.append(reason)
        if self.errors:
            raise self.errors.pop(0)
        for page in self.pages_of:
            yield page, self.version

    async def watch(
        self, kind: Kind, namespace: str, version: int, seconds: float, silence: float
    ) -> AsyncGenerator[Any, None]:
        self.watches.append(version)
        while (event := await self.stream.get()) is not None:
            if isinstance(event, ApiError):
                raise event
            yield event

    def send(self, type_: str, live: dict[str, Any]) -> None:
        self.stream.put_nowait({"type": type_, "object": live})


class Setup:
    def __init__(self, kind: Kind = KIND) -> None:
        self.clock = FakeClock()
        self.server = Server()
        self.store = Store(lambda key: None)
        self.listed: list[bool] = []
        self.informer = Informer(
            kind,
            api=self.server,
            store=self.store,
            record=as_record,
            clock=self.clock,
            relist=3600,
            on_event=lambda kind, changed: None,
            on_listed=lambda kind, first: self.listed.append(first),
            on_failed=lambda error: None,
        )

    def names(self) -> set[str]:
        return {ref.name for ref in self.store.children("owner")}


@pytest.fixture
async def setup() -> AsyncIterator[Setup]:
    setup = Setup()
    task = asyncio.ensure_future(setup.informer.run())
    await settle()
    yield setup
    task.cancel()
    await asyncio.wait([task])


async def test_every_page_of_a_list_counts(setup: Setup) -> None:
    setup.server.pages_of = [[item("a", 3)], [item("b", 4)]]
    setup.server.stream.put_nowait(ApiError(410, "Expired", ""))
    await setup.clock.advance(1)
    assert setup.names() == {"a", "b"}
    assert setup.listed == [True, False]
    assert setup.server.lists == ["start", "relist"]


async def test_a_watch_goes_on_where_the_last_one_ended(setup: Setup) -> None:
    setup.server.send("ADDED", item("a", 12))
    setup.server.send("BOOKMARK", item("", 40))
    setup.server.stream.put_nowait(None)  # the server's time is up
    await settle()
    assert setup.server.watches == [10, 40]
    assert setup.server.lists == ["start"]
    assert setup.names() == {"a"}


async def test_a_deletion_is_seen(setup: Setup) -> None:
    setup.server.send("ADDED", item("a", 12))
    await settle()
    setup.server.send("DELETED", item("a", 13))
    await settle()
    assert setup.names() == set()


async def test_an_expired_version_means_a_new_list_that_replaces(setup: Setup) -> None:
    setup.server.send("ADDED", item("a", 12))
    setup.server.send("ADDED", item("b", 13))
    await settle()
    setup.server.version, setup.server.pages_of = 50, [[item("b", 13), item("c", 49)]]
    setup.server.send("ERROR", {"code": 410, "reason": "Expired", "message": "too old"})
    await setup.clock.advance(1)
    assert setup.names() == {"b", "c"}
    assert setup.server.watches[-1] == 50


async def test_a_broken_watch_needs_no_new_list(setup: Setup) -> None:
    setup.server.send("ADDED", item("a", 12))
    setup.server.stream.put_nowait(ApiError(0, "SocketTimeoutError", "silence"))
    await setup.clock.advance(2)
    assert setup.server.watches == [10, 12]
    assert setup.server.lists == ["start"]


async def test_a_server_that_ends_every_watch_at_once_is_not_asked_in_a_busy_loop(
    setup: Setup,
) -> None:
    for _ in range(1000):
        setup.server.stream.put_nowait(None)
    await setup.clock.advance(10)
    assert 5 <= len(setup.server.watches) <= 15


async def test_there_is_a_new_list_every_hour_however_well_the_watch_works(setup: Setup) -> None:
    setup.server.pages_of = [[item("lost", 11)]]
    for _ in range(13):
        await setup.clock.advance(290)
        setup.server.stream.put_nowait(None)
    await setup.clock.advance(1)
    assert setup.server.lists == ["start", "relist"]
    assert setup.names() == {"lost"}


async def test_a_list_that_fails_is_tried_again_more_and_more_slowly() -> None:
    setup = Setup()
    setup.server.errors = [ApiError(503, "ServiceUnavailable", "") for _ in range(8)]
    task = asyncio.ensure_future(setup.informer.run())
    await setup.clock.advance(7.5)
    assert len(setup.server.lists) == 4
    assert not setup.informer.listed
    await setup.clock.advance(200)
    assert setup.informer.listed
    task.cancel()
    await asyncio.wait([task])


async def test_after_a_long_outage_there_is_a_list_in_less_than_20_s() -> None:
    setup = Setup()
    setup.server.errors = [ApiError(0, "ClientError", "") for _ in range(1000)]
    task = asyncio.ensure_future(setup.informer.run())
    await setup.clock.advance(600)
    setup.server.errors.clear()
    await setup.clock.advance(20 / 1.2)  # pauses are stretched by up to a fifth
    assert setup.informer.listed
    task.cancel()
    await asyncio.wait([task])


def test_kopf_never_gives_up_and_never_sleeps_long() -> None:
    pauses = list(islice(Endless(), 100))
    assert len(pauses) == 100
    assert max(pauses) <= 10


async def test_a_kind_that_vanishes_is_listed_again_until_it_is_back() -> None:
    setup = Setup(OPTIONAL)
    task = asyncio.ensure_future(setup.informer.run())
    await settle()
    setup.server.errors = [ApiError(404, "NotFound", "")]
    setup.server.stream.put_nowait(ApiError(404, "NotFound", ""))
    await setup.clock.advance(60)
    assert setup.server.lists == ["start", "relist", "start"]
    assert setup.listed == [True, True], "to whom it belongs, it is new again"
    task.cancel()
    await asyncio.wait([task])


async def test_silence_can_be_told_from_quiet(setup: Setup) -> None:
    await setup.clock.advance(60)
    setup.server.send("BOOKMARK", item("", 20))
    await settle()
    assert setup.informer.heard_at == 60
