import logging
from datetime import datetime, timedelta
from pathlib import Path

import orjson
import pytest

from microservice_operator import logs
from microservice_operator.clock import Clock
from microservice_operator.settings import (
    InvalidSettings,
    Settings,
    explain,
    read_platform,
    read_settings,
)


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POD_NAME", "operator-0")
    monkeypatch.setenv("LOG_LEVEL", "debug")
    monkeypatch.setenv("WORKERS", "4")
    settings = read_settings()
    assert (settings.identity, settings.log_level, settings.workers) == ("operator-0", "DEBUG", 4)


def test_a_wrong_setting_is_named_but_its_value_is_not_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WORKERS", "s3cret")
    with pytest.raises(InvalidSettings, match=r"^WORKERS: ") as caught:
        read_settings()
    assert "s3cret" not in str(caught.value)


def test_two_processes_on_one_host_have_two_identities() -> None:
    assert Settings().identity != Settings(pod_name="x").identity


def test_every_setting_is_explained() -> None:
    lines = explain().splitlines()
    assert len(lines) == len(Settings.model_fields)
    assert all(field.description for field in Settings.model_fields.values())


def test_without_a_platform_file_all_is_default(tmp_path: Path) -> None:
    assert read_platform(tmp_path / "none.yaml").gateway is None


def test_a_platform_file_is_checked(tmp_path: Path) -> None:
    path = tmp_path / "platform.yaml"
    path.write_text("gateway: {name: public, namespace: gateway}\n")
    gateway = read_platform(path).gateway
    assert gateway is not None
    assert gateway.name == "public"
    path.write_text("gateways: {}\n")
    with pytest.raises(InvalidSettings, match=r"platform.yaml: gateways: "):
        read_platform(path)


def test_a_faster_clock_is_faster_in_everything() -> None:
    clock = Clock(speed=1000)
    start = clock.monotonic()
    first = datetime.fromisoformat(clock.now())
    while clock.monotonic() - start < 60:
        pass
    assert datetime.fromisoformat(clock.now()) - first >= timedelta(seconds=59)
    assert clock.real(10) == 0.01


def test_times_are_as_kubernetes_writes_them() -> None:
    clock = Clock()
    assert datetime.strptime(clock.now(), "%Y-%m-%dT%H:%M:%SZ")
    assert datetime.strptime(clock.precise(), "%Y-%m-%dT%H:%M:%S.%fZ")


def test_jitter_stays_within_its_share() -> None:
    assert all(8 <= Clock().jitter(10) <= 12 for _ in range(100))


def test_a_json_line_has_what_a_collector_needs() -> None:
    record = logging.LogRecord("x", logging.INFO, "f", 1, "shop/%s: created", ("orders",), None)
    line = orjson.loads(logs.Json().format(record))
    assert line["message"] == "shop/orders: created"
    assert line["level"] == "info"
    assert datetime.fromisoformat(line["time"]).utcoffset() == timedelta(0)
