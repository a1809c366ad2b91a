"""Settings, ids, clocks, logs, locks, migrations."""

import asyncio
import uuid
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest
import sqlalchemy as sa
import structlog
from pydantic import SecretStr
from services.kit.tests.chassis import ORDER, bench
from services.kit.tests.conftest import Embedded, Real
from services.kit.tests.toy import buyer, seller
from services.kit.tests.toy.tables import holds, metadata
from services.kit.tests.toy.world import Backend

from shopkit import gauges, outbox
from shopkit.app import Service, World
from shopkit.clock import ManualClock
from shopkit.db import DatabaseAway, Timestamp, Tx
from shopkit.ids import SeededIds, uuid5, uuid7_from
from shopkit.metrics import Metrics
from shopkit.migrate import folder_of
from shopkit.settings import Settings
from shopkit.testing import until
from shopkit.waker import Waker

START = datetime(2026, 1, 1, tzinfo=UTC)


class Mine(Settings):
    bank_secret: SecretStr | None = None


def test_a_secret_may_be_a_mounted_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "secret").write_text("hush\n")
    monkeypatch.setenv("BANK_SECRET_FILE", str(tmp_path / "secret"))
    secret = Mine().bank_secret
    assert secret is not None
    assert secret.get_secret_value() == "hush"
    assert "hush" not in repr(Mine())


def test_a_missing_secret_file_is_said_plainly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BANK_SECRET_FILE", "/nowhere/secret")
    with pytest.raises(SystemExit, match="BANK_SECRET_FILE=/nowhere/secret cannot be read"):
        Mine()


def test_consumers_are_switched_with_on_and_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONSUMERS", "off")
    assert Settings().consumers is False


def test_uuid7_sorts_by_time_and_has_its_version() -> None:
    early, late = uuid7_from(1_000, b"\xff" * 10), uuid7_from(1_001, b"\x00" * 10)
    assert early < late
    assert (uuid.UUID(early).version, uuid.UUID(early).variant) == (7, uuid.RFC_4122)


def test_a_seed_replays_its_ids() -> None:
    clock = ManualClock(START)
    assert SeededIds(7, clock).uuid7() == SeededIds(7, clock).uuid7()
    assert SeededIds(7, clock).uuid7() != SeededIds(8, clock).uuid7()


def test_uuid5_is_stable() -> None:
    assert uuid5(ORDER, "payment") == str(uuid.uuid5(uuid.UUID(ORDER), "payment"))


async def test_a_manual_clock_wakes_its_sleepers_in_time() -> None:
    clock = ManualClock(START)
    sleeping = asyncio.create_task(clock.sleep(10))
    await asyncio.sleep(0)
    clock.advance(9)
    await asyncio.sleep(0)
    assert not sleeping.done()
    clock.advance(1)
    await asyncio.wait_for(sleeping, 1)


async def test_a_waker_ends_the_wait(capsys: pytest.CaptureFixture[str]) -> None:
    waker = Waker(ManualClock(START))
    waiting = asyncio.create_task(waker.wait(3600))
    await asyncio.sleep(0)
    waker.wake()
    await asyncio.wait_for(waiting, 1)


def test_logs_drop_fields_outside_the_list(capsys: pytest.CaptureFixture[str]) -> None:
    structlog.get_logger().warning("login", password="hunter2", order_id=ORDER)
    line = orjson.loads(capsys.readouterr().out)
    assert (line["event"], line["order_id"], "password" in line) == ("login", ORDER, False)


async def test_a_second_process_is_told_that_the_file_is_taken(embedded: Embedded) -> None:
    settings = await embedded.settings("buyer")
    first, second = buyer.create_app(settings), buyer.create_app(settings)
    await first.db.open()
    with pytest.raises(SystemExit, match="in use by another process"):
        await second.db.open()
    await first.db.close()
    await second.db.open()
    await second.db.close()


async def test_a_closed_database_is_not_used_again(embedded: Embedded) -> None:
    service = buyer.create_app(await embedded.settings("buyer"))
    await service.db.open()
    await service.db.close()
    with pytest.raises(DatabaseAway):
        await service.db.ping()


async def test_migrations_make_the_tables_that_the_code_expects(backend: Backend) -> None:
    async with bench(backend) as b, b.service.db.read() as tx:

        def missing(connection: sa.Connection) -> set[str]:
            found = sa.inspect(connection)
            return {
                f"{table.name}.{column.name}"
                for table in metadata.tables.values()
                for column in table.columns
                if column.name not in {c["name"] for c in found.get_columns(table.name)}
            }

        assert await tx.connection.run_sync(missing) == set()


async def test_a_database_that_is_not_made_yet_is_waited_for(real: Real) -> None:
    settings = await real.settings("buyer")
    assert settings.database_url is not None
    missing = settings.database_url.get_secret_value() + "_not_yet"
    changed = settings.model_copy(update={"database_url": SecretStr(missing)})
    service = buyer.create_app(changed)
    with pytest.raises(DatabaseAway, match="does not exist"):
        await service.migrate()
    await service.db.close()


async def test_pods_that_migrate_together_take_turns(real: Real) -> None:
    settings = await real.settings("buyer")
    pods = [buyer.create_app(settings) for _ in range(3)]
    assert await asyncio.gather(*(pod.migrate() for pod in pods)) == [2, 2, 2]
    for pod in pods:
        await pod.db.close()


async def test_a_migrated_database_is_left_as_it_is(backend: Backend) -> None:
    async with bench(backend) as b:
        assert await b.service.migrate() == 2
        assert await seller.free_stock(b.service) == 5


def test_migrations_are_inside_the_package() -> None:
    assert (folder_of("services.kit.tests.toy") / "0001_initial.py").exists()


async def test_times_come_back_as_they_went_in(backend: Backend) -> None:
    moment = datetime(2026, 5, 4, 3, 2, 1, 123456, tzinfo=UTC)
    async with bench(backend) as b, b.service.db.read() as tx:
        back = await tx.scalar(sa.select(sa.literal(moment, Timestamp)))
    assert back == moment


async def test_the_databases_time_is_now(backend: Backend) -> None:
    async with bench(backend) as b, b.service.db.read() as tx:
        ahead = await tx.scalar(sa.select(tx.time(60)))
        assert 50 < (ahead - tx.clock.now()).total_seconds() < 70


async def changed_in_vain(tx: Tx) -> None:
    async with tx.savepoint():
        await tx.execute(sa.update(holds).values(status="GONE"))
        raise ZeroDivisionError


async def test_a_savepoint_takes_back_only_its_own(backend: Backend) -> None:
    async with bench(backend) as b:
        async with b.service.db.transaction("outer") as tx:
            await tx.insert_new(holds, {"order_id": ORDER, "status": "HELD"})
            with pytest.raises(ZeroDivisionError):
                await changed_in_vain(tx)
        assert await seller.hold_statuses(b.service) == {ORDER: "HELD"}


async def test_a_cancelled_transaction_leaves_nothing_locked(backend: Backend) -> None:
    async with bench(backend) as b:

        async def slow() -> None:
            async with b.service.db.transaction("slow") as tx:
                await tx.insert_new(holds, {"order_id": ORDER, "status": "HELD"})
                started.set()
                await asyncio.Event().wait()

        started = asyncio.Event()
        task = asyncio.create_task(slow())
        await started.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        async with b.service.db.transaction("next") as tx:
            assert await tx.insert_new(holds, {"order_id": ORDER, "status": "REFUSED"})


async def test_gauges_count_the_rows(backend: Backend) -> None:
    async with bench(backend) as b:
        metrics = Metrics("seller", "1", 1)
        async with b.service.db.transaction("send") as tx:
            await outbox.command(tx, "seller", buyer.Hold(order_id=ORDER), correlation_id=ORDER)
        async with b.service.db.read() as tx:
            await gauges.refresh(tx, metrics)
        value = metrics.registry.get_sample_value
        assert value("shop_outbox_pending", {"service": "seller"}) == 1
        assert (value("shop_outbox_oldest_seconds", {"service": "seller"}) or 0) >= 0


async def test_a_failing_worker_is_started_again(
    embedded: Embedded, capsys: pytest.CaptureFixture[str]
) -> None:
    service = Service("toy", await embedded.settings("toy"), World(), version="1")
    runs: list[int] = []

    async def work() -> None:
        runs.append(1)
        if len(runs) == 1:
            raise ZeroDivisionError

    service.every("work", 0.01, work)
    await service.start()
    await until(lambda: len(runs) > 2)
    await service.stop()
    assert "worker_failed" in capsys.readouterr().out


async def test_consumers_off_means_http_alone(embedded: Embedded) -> None:
    off = (await embedded.settings("buyer")).model_copy(update={"consumers": False})
    service = buyer.create_app(off)
    await service.start()
    await service.settled()
    await buyer.buy(service, ORDER)
    await service.stop()
    assert service.world.broker.waiting() == 0
