"""A real process: listeners, signals, drain."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from shopkit.testing import IDEMPOTENCY_KEY

ROOT = Path(__file__).parents[3]
TOY = "services.kit.tests.toy"


def environment(folder: Path, **values: str) -> dict[str, str]:
    kept = {
        name: os.environ[name] for name in ("PATH", "PYTHONPYCACHEPREFIX") if name in os.environ
    }
    ours = {
        "DATA_DIR": str(folder),
        "HTTP_HOST": "127.0.0.1",
        "HTTP_PORT": "0",
        "ADMIN_PORT": "0",
        "DRAIN_GRACE": "0.5",
        "IDEMPOTENCY_KEY": IDEMPOTENCY_KEY,
    }
    return {**kept, **ours, **values}


class Process:
    """`python -m toy serve`."""

    def __init__(self, folder: Path, **values: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", TOY, "serve"],
            cwd=ROOT,
            env=environment(folder, **values),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        lines = {line["event"]: line for line in self.lines_until("started")}
        self.http = f"http://127.0.0.1:{lines['listening']['port']}"
        self.admin = f"http://127.0.0.1:{lines['listening']['admin_port']}"

    def lines_until(self, event: str) -> list[dict[str, object]]:
        assert self.process.stdout is not None
        lines: list[dict[str, object]] = []
        for text in self.process.stdout:
            lines.append(json.loads(text))
            if lines[-1]["event"] == event:
                return lines
        raise AssertionError(f"the process ended before {event}: {lines}")

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Process]:
    process = Process(tmp_path)
    yield process
    process.close()


def test_sigterm_drains_in_order(process: Process) -> None:
    with (
        httpx.Client(base_url=process.http, timeout=30) as kept,
        httpx.Client(base_url=process.http, timeout=30) as other,
        ThreadPoolExecutor(2) as pool,
    ):
        assert [kept.get(p).status_code for p in ("/livez", "/startupz", "/readyz")] == [200] * 3
        assert "shop_build_info" in httpx.get(f"{process.admin}/metrics").text
        slow = pool.submit(other.get, "/slow")
        events = pool.submit(httpx.get, f"{process.http}/events", timeout=30)
        active = 'http_server_active_requests{service="buyer"} 2.0'
        while active not in httpx.get(f"{process.admin}/metrics").text:
            pass

        process.process.send_signal(signal.SIGTERM)
        process.lines_until("draining")
        unready = kept.get("/readyz")
        assert (unready.status_code, unready.headers["connection"]) == (503, "close")
        assert kept.get("/livez").status_code == 200  # on a new connection, still served
        process.process.send_signal(signal.SIGTERM)
        assert slow.result().json() == {"slow": "but sure"}
        assert events.result().text.endswith("retry: 1000\n\n")
    assert process.process.wait(20) == 0


def test_ctrl_c_ends_at_once(process: Process) -> None:
    process.process.send_signal(signal.SIGINT)
    assert process.process.wait(20) == 0
    with pytest.raises(httpx.ConnectError):
        httpx.get(process.http)
