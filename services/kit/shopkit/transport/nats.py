"""NATS JetStream. A wiped broker repairs itself: streams and consumers are made when missing."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import nats
import orjson
import structlog
from nats.aio.client import Client as NatsClient
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription as NatsSubscription
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import (
    AckPolicy,
    ConsumerConfig,
    RetentionPolicy,
    StorageType,
    StreamConfig,
)
from nats.js.errors import NotFoundError

from shopkit.clock import Clock
from shopkit.messages import Kind, Message
from shopkit.transport import PublishFailed

STREAMS: Mapping[Kind, str] = {"cmd": "CMD", "reply": "REPLY"}
MAX_AGE = 300.0  # a re-send covers what is older
DEDUP_WINDOW = 120.0
PUBLISH_TIMEOUT = 2.0
SILENT_AFTER = 30.0
MAX_ACK_PENDING = 1000
_RETRY = 0.5
_NO_LIMIT = -1


def stream_config(kind: Kind) -> StreamConfig:
    return StreamConfig(
        name=STREAMS[kind],
        subjects=[f"{kind}.>"],
        retention=RetentionPolicy.WORK_QUEUE,
        storage=StorageType.FILE,
        max_age=MAX_AGE,
        duplicate_window=DEDUP_WINDOW,
        num_replicas=1,
    )


def consumer_config(service: str, kind: Kind, ack_wait: float) -> ConsumerConfig:
    return ConsumerConfig(
        # With a name the filter is part of the request's subject, where a permission can see it.
        name=service,
        durable_name=service,
        filter_subject=f"{kind}.{service}.>",
        ack_policy=AckPolicy.EXPLICIT,
        ack_wait=ack_wait,
        # A message dropped by the broker would be lost without a trace: we count ourselves.
        max_deliver=_NO_LIMIT,
        max_ack_pending=MAX_ACK_PENDING,
    )


class NatsTransport:
    """See `shopkit.transport.Transport`. Its inbox is `_INBOX.<service>.>`, for permissions."""

    def __init__(self, service: str, url: str, ack_wait: float, clock: Clock) -> None:
        self._service, self._url = service, url
        self._ack_wait, self._clock = ack_wait, clock
        self._log = structlog.get_logger().bind(service=service)
        self._client: NatsClient | None = None
        self._connected = asyncio.Event()
        self._connecting: asyncio.Task[None] | None = None
        self._last_error = ""
        self.reconnects = 0

    async def start(self) -> None:
        self._connecting = asyncio.create_task(self._connect())

    async def stop(self) -> None:
        if self._connecting is not None:
            self._connecting.cancel()
            await asyncio.gather(self._connecting, return_exceptions=True)
        if self._client is not None:
            await self._client.close()
        self._connected.clear()

    async def _connect(self) -> None:
        while self._client is None:
            try:
                self._client = await nats.connect(
                    self._url,
                    name=self._service,
                    inbox_prefix=f"_INBOX.{self._service}",
                    connect_timeout=2,
                    reconnect_time_wait=_RETRY,
                    max_reconnect_attempts=_NO_LIMIT,
                    error_cb=self._on_error,
                    reconnected_cb=self._on_reconnect,
                )
            except (NatsError, OSError, TimeoutError) as error:
                await self._on_error(error)
                await asyncio.sleep(_RETRY)
        self._connected.set()

    async def _on_error(self, error: Exception) -> None:
        text = f"{type(error).__name__}: {error}"
        if text != self._last_error:
            self._log.warning("broker", error=text)
        self._last_error = text

    async def _on_reconnect(self) -> None:
        """The broker may have come back empty."""
        self.reconnects += 1
        self._last_error = ""
        self._log.info("broker_is_back")

    async def client(self) -> NatsClient:
        """Waits for the first connection."""
        await self._connected.wait()
        assert self._client is not None
        return self._client

    def _jetstream(self) -> JetStreamContext:
        if self._client is None or not self._client.is_connected:
            raise PublishFailed("not connected to the broker")
        return self._client.jetstream(timeout=PUBLISH_TIMEOUT)

    async def publish(self, message: Message) -> None:
        try:
            await self._jetstream().publish(
                message.subject, message.data, headers=message.headers()
            )
        except (NatsError, OSError, TimeoutError) as error:
            await self._repair(message.kind)
            raise PublishFailed(f"{type(error).__name__}: {error}") from error

    async def _repair(self, kind: Kind) -> None:
        """No responders or not found: the stream is gone. The relay comes again."""
        with contextlib.suppress(NatsError, OSError, TimeoutError, PublishFailed):
            await self.ensure_stream(kind)

    async def ensure_stream(self, kind: Kind) -> None:
        jetstream = self._jetstream()
        try:
            await jetstream.stream_info(STREAMS[kind])
        except NotFoundError:
            await jetstream.add_stream(stream_config(kind))

    async def ensure_consumer(self, kind: Kind) -> None:
        jetstream = self._jetstream()
        await self.ensure_stream(kind)
        try:
            await jetstream.consumer_info(STREAMS[kind], self._service)
        except NotFoundError:
            config = consumer_config(self._service, kind, self._ack_wait)
            await jetstream.add_consumer(STREAMS[kind], config)

    async def pending(self, kind: Kind) -> int:
        """Messages the broker has for us and nobody was given yet."""
        info = await self._jetstream().consumer_info(STREAMS[kind], self._service)
        return info.num_pending or 0

    async def subscribe(self, kind: Kind) -> "NatsSubscriber":
        return NatsSubscriber(self, kind, self._service, self._clock)


@dataclass(frozen=True, slots=True)
class NatsDelivery:
    """See `shopkit.transport.Delivery`."""

    _message: Msg

    @property
    def subject(self) -> str:
        return self._message.subject

    @property
    def headers(self) -> Mapping[str, str]:
        return self._message.headers or {}

    @property
    def data(self) -> bytes:
        return self._message.data

    @property
    def delivered(self) -> int:
        return self._message.metadata.num_delivered or 1

    async def ack(self) -> None:
        await self._message.ack()

    async def hand_back(self) -> None:
        await self._message.nak()


class NatsSubscriber:
    """Pulls by hand: the client library's `fetch` waits for a whole batch once a first came."""

    def __init__(self, transport: NatsTransport, kind: Kind, service: str, clock: Clock) -> None:
        self._transport, self._kind, self._service, self._clock = transport, kind, service, clock
        self._log = structlog.get_logger().bind(service=service, kind=kind)
        self._subscription: NatsSubscription | None = None
        self._received: deque[Msg] = deque()
        self._arrived = asyncio.Event()
        self._asked_until = 0.0
        self._wanted = 0
        self._last_message = clock.monotonic()
        self._seen_reconnects = 0

    async def fetch(self, limit: int, seconds: float) -> Sequence[NatsDelivery]:
        try:
            await self._ask(limit, seconds)
        except (NatsError, OSError, TimeoutError, PublishFailed) as error:
            self._log.warning("fetch_failed", error=f"{type(error).__name__}: {error}")
            await self._drop()
            await asyncio.sleep(_RETRY)
            return ()
        await self._wait(seconds)
        return [NatsDelivery(m) for m in self._take(limit)]

    async def _ask(self, limit: int, seconds: float) -> None:
        """One pull request is open at a time; a new one when it is used up or too old."""
        if self._seen_reconnects != self._transport.reconnects or await self._is_deaf():
            await self._drop()
        if self._subscription is None:
            await self._open()
        now = self._clock.monotonic()
        if self._received or (self._wanted > 0 and now < self._asked_until):
            return
        self._wanted, self._asked_until = limit, now + seconds
        await self._request(limit, seconds)

    async def _open(self) -> None:
        client = await self._transport.client()
        self._seen_reconnects = self._transport.reconnects
        await self._transport.ensure_consumer(self._kind)
        inbox = client.new_inbox()
        self._subscription = await client.subscribe(inbox, cb=self._on_message)
        self._last_message = self._clock.monotonic()

    async def _request(self, limit: int, seconds: float) -> None:
        assert self._subscription is not None
        client = await self._transport.client()
        subject = f"$JS.API.CONSUMER.MSG.NEXT.{STREAMS[self._kind]}.{self._service}"
        request = orjson.dumps({"batch": limit, "expires": int(seconds * 1e9)})
        await client.publish(subject, request, reply=self._subscription.subject)

    async def _on_message(self, message: Msg) -> None:
        status = (message.headers or {}).get("Status") if not message.data else None
        if status is None:
            self._received.append(message)
            self._wanted -= 1
            self._last_message = self._clock.monotonic()
        else:
            await self._on_status(status)
        self._arrived.set()

    async def _on_status(self, status: str) -> None:
        self._wanted = 0
        # 408: the request is too old. 404 and 409: no messages or no consumer. 503: no stream.
        if status not in ("408", "404"):
            await self._drop()

    async def _wait(self, seconds: float) -> None:
        if not self._received:
            self._arrived.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._arrived.wait()

    def _take(self, limit: int) -> list[Msg]:
        return [self._received.popleft() for _ in range(min(limit, len(self._received)))]

    async def _is_deaf(self) -> bool:
        """Silent although messages wait: a pull subscription can die without an error."""
        if self._subscription is None:
            return False
        if self._clock.monotonic() - self._last_message < SILENT_AFTER:
            return False
        self._last_message = self._clock.monotonic()
        return await self._transport.pending(self._kind) > 0

    async def _drop(self) -> None:
        subscription, self._subscription = self._subscription, None
        self._wanted = 0
        if subscription is not None:
            with contextlib.suppress(NatsError, OSError):
                await subscription.unsubscribe()

    async def close(self) -> None:
        await self._drop()
        for message in self._take(len(self._received)):
            with contextlib.suppress(NatsError, OSError):
                await message.nak()
