"""The program as a user or a kubelet starts it."""

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
import yaml
from tests.fakeapi import FakeApi, Fault
from tests.fakecontrollers import FakeControllers
from tests.wiring.conftest import Start
from tests.world import PLAIN, children, make, ready

from microservice_operator.__main__ import main
from microservice_operator.cluster import LEASE
from microservice_operator.settings import VERSION, Settings
from microservice_operator.workqueue import WorkQueue
from shopkit.testing import free_port

PROGRAM = [sys.executable, "-m", "microservice_operator"]
BARE = {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}


class Child:
    """An operator as a process, with its ports."""

    def __init__(self, process: asyncio.subprocess.Process, probes: int, metrics: int) -> None:
        self.process = process
        self.healthz = f"http://127.0.0.1:{probes}/healthz"
        self.readyz = f"http://127.0.0.1:{metrics}/readyz"
        self.metrics = f"http://127.0.0.1:{metrics}/metrics"

    async def get(self, url: str) -> tuple[int, str]:
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            return answer.status, await answer.text()


@asynccontextmanager
async def child(api: FakeApi, home: Path) -> AsyncIterator[Child]:
    kubeconfig = home / "kubeconfig"
    kubeconfig.write_text(
        yaml.safe_dump(
            {
                "current-context": "fake",
                "contexts": [{"name": "fake", "context": {"cluster": "fake", "user": "operator"}}],
                "clusters": [{"name": "fake", "cluster": {"server": api.url}}],
                "users": [{"name": "operator", "user": {"tokenFile": "token"}}],
            }
        )
    )
    (home / "token").write_text("operator\n")
    probes, metrics = free_port(), free_port()
    process = await asyncio.create_subprocess_exec(
        *PROGRAM,
        env=BARE
        | {
            "KUBECONFIG": str(kubeconfig),
            "POD_NAME": "operator",
            "POD_NAMESPACE": "operator",
            "PROBE_PORT": str(probes),
            "METRICS_PORT": str(metrics),
        },
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield Child(process, probes, metrics)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


def holder(api: FakeApi) -> str | None:
    lease = api.get(LEASE, "operator", "microservice-operator")
    return lease["spec"].get("holderIdentity") if lease else None


async def test_sigterm_ends_the_pass_hands_over_the_lease_and_exits_with_0(
    api: FakeApi, controllers: FakeControllers, tmp_path: Path
) -> None:
    async with child(api, tmp_path) as operator:
        make(api, spec=PLAIN)
        await api.until(lambda: ready(api), 60)
        assert (await operator.get(operator.healthz))[0] == 200
        assert await operator.get(operator.readyz) == (200, "ready")
        status, text = await operator.get(operator.metrics)
        assert status == 200
        assert 'api_requests_total{code="201",reason="create",resource="deployments.apps"' in text
        operator.process.terminate()
        async with asyncio.timeout(10):
            _, log = await operator.process.communicate()
        assert operator.process.returncode == 0
        assert holder(api) is None
        assert b'"message":"shop/orders: created Deployment orders"' in log


async def test_it_starts_as_a_bare_uid_that_has_no_user_name(
    api: FakeApi, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in its image: uid 10001 is in no passwd file, and nothing sets USER."""

    def nobody() -> str:
        raise OSError("No username set in the environment")

    monkeypatch.setattr("getpass.getuser", nobody)
    await start()
    await api.until(lambda: holder(api) == "operator")
    make(api, spec=PLAIN)
    await api.until(lambda: "Service" in children(api))


async def test_a_pass_that_cannot_end_does_not_hold_up_the_exit(
    api: FakeApi, controllers: FakeControllers, tmp_path: Path
) -> None:
    api.faults.append(Fault("patch", "deployments.apps", hang=True))
    async with child(api, tmp_path) as operator:
        make(api, spec=PLAIN)
        await api.until(lambda: api.faults[0].times == 0, 60)
        operator.process.terminate()
        async with asyncio.timeout(10):
            await operator.process.communicate()
        assert operator.process.returncode == 0
        assert holder(api) is None


async def test_without_its_rights_it_says_so_in_one_sentence_and_exits_with_1(
    api: FakeApi, tmp_path: Path
) -> None:
    api.denied.add(("list", "microservices.microservice.dev"))
    async with child(api, tmp_path) as operator:
        async with asyncio.timeout(60):
            _, log = await operator.process.communicate()
        assert operator.process.returncode == 1
        last = log.decode().strip().splitlines()[-1]
        assert last.startswith("microservice-operator: the operator may not list microservices.")
        assert b"Traceback" not in log


async def test_only_what_a_restart_would_cure_fails_the_liveness_probe(
    api: FakeApi, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    operator = await start(probe_port=port)
    await api.until(lambda: holder(api) == "operator")
    await operator.until(lambda app: listening(port))
    stuck = WorkQueue.longest
    monkeypatch.setattr(WorkQueue, "longest", lambda queue: 301.0)
    url = f"http://127.0.0.1:{port}/healthz"
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        assert answer.status == 500
    monkeypatch.setattr(WorkQueue, "longest", stuck)
    assert operator.app.stuck() is None
    api.cut_off("operator")
    assert operator.app.stuck() is None


def listening(port: int) -> bool:
    """kopf opens the port of the probes at its own time."""
    with socket.socket() as caller:
        return caller.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """No setting in the environment."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    return monkeypatch


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ("--version", f"microservice-operator {VERSION}\n"),
        *(("--help", name.upper()) for name in Settings.model_fields),
    ],
)
def test_it_explains_itself(argument: str, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([argument])
    assert ended.value.code == 0
    assert words in capsys.readouterr().out


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({}, "no way to the Kubernetes API"),
        ({"KUBECONFIG": "/nowhere/config"}, "kubeconfig /nowhere/config cannot be used"),
        ({"WORKERS": "none"}, "WORKERS: Input should be a valid integer"),
        ({"LOG_LEVEL": "loud"}, "LOG_LEVEL: Input should be 'DEBUG'"),
        ({"PLATFORM_FILE": "/dev"}, "/dev: "),
    ],
    ids=["no-cluster", "no-kubeconfig", "no-number", "no-level", "no-file"],
)
def test_a_start_that_cannot_work_says_why(
    environment: dict[str, str],
    words: str,
    bare: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in environment.items():
        bare.setenv(name, value)
    assert main([]) == 1
    assert words in capsys.readouterr().err
