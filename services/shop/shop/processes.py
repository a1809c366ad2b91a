"""The shop as it runs in earnest: six processes, PostgreSQL and NATS; any of them may be killed."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import httpx

from shop import nats_conf
from shop.installation import ADMIN_EMAIL, Installation
from shopkit.testing import ServerProcess, free_port

HOST = "127.0.0.1"
NAMES = ("auth", "catalog", "orders", "payments", "bank", "storefront")
WITH_DATABASE = ("auth", "catalog", "orders", "payments")
# Far longer than the shop needs: other tests use the machine too.
PATIENCE, POLL = 240.0, 0.1


def broker(binary: str, folder: Path) -> ServerProcess:
    """With the permissions that each service has in a cluster."""
    port, folder = free_port(), folder / "nats"
    folder.mkdir()
    passwords = {name: name for name in nats_conf.PUBLISHES}
    config = folder / "nats.conf"
    ports = {"port": port, "monitor_port": free_port()}
    config.write_text(nats_conf.render(passwords, store_dir=str(folder / "store"), **ports))
    return ServerProcess([binary, "-c", str(config), "-a", HOST], port, folder, None)


def restart(server: ServerProcess) -> None:
    """SIGKILL and a new start; PostgreSQL's other processes take a moment to go."""
    server.stop(signal.SIGKILL)
    end = time.monotonic() + PATIENCE
    while True:
        with suppress(RuntimeError):
            return server.start()
        assert time.monotonic() < end, "the server does not start again"
        time.sleep(0.1)


class Processes:
    """`urls`: of the databases, by service; the bank has a file of its own. `haste`: settings."""

    home: Path | None = None  # where the processes start; None: where this one did

    def __init__(
        self,
        folder: Path,
        urls: Mapping[str, str],
        broker_port: int,
        haste: Mapping[str, object] | None = None,
    ) -> None:
        self.folder, self._urls, self._broker_port = folder, urls, broker_port
        self._haste = {name: str(value) for name, value in (haste or {}).items()}
        self.keys = Installation.new()
        self._ports = {name: (free_port(), free_port()) for name in NAMES}
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def url(self, name: str) -> str:
        return f"http://{HOST}:{self._ports[name][0]}"

    def admin_url(self, name: str) -> str:
        return f"http://{HOST}:{self._ports[name][1]}"

    # --- life ------------------------------------------------------------------------------------

    async def start_all(self) -> None:
        migrations = [self._run(name, "-m", name, "migrate") for name in WITH_DATABASE]
        codes = [await asyncio.to_thread(process.wait, PATIENCE) for process in migrations]
        assert codes == [0] * len(codes), [self.log(name) for name in WITH_DATABASE]
        for name in NAMES:
            self.start(name)
        await asyncio.gather(*map(self.ready, NAMES))

    def start(self, name: str) -> None:
        self._running[name] = self._run(name, "-m", name, "serve")

    def kill(self, name: str) -> None:
        """No clean-up of any kind."""
        process = self._running.pop(name)
        process.kill()
        process.wait(PATIENCE)

    def close(self) -> None:
        for name in list(self._running):
            self.kill(name)

    def pid(self, name: str) -> int:
        return self._running[name].pid

    async def ready(self, name: str, poll: float = POLL) -> None:
        end = time.monotonic() + PATIENCE
        async with httpx.AsyncClient(base_url=self.url(name)) as http:
            while not await _is_ready(http):
                died = self._running[name].poll()
                assert died is None, f"{name} ended with {died}: {self.log(name)[-2000:]}"
                assert time.monotonic() < end, f"{name} is not ready: {self.log(name)[-2000:]}"
                await asyncio.sleep(poll)

    def log(self, name: str) -> str:
        return self._log(name).read_text(errors="replace")

    def _log(self, name: str) -> Path:
        return self.folder / "logs" / f"{name}.log"

    def _run(self, name: str, *arguments: str) -> subprocess.Popen[bytes]:
        log = self._log(name)
        log.parent.mkdir(exist_ok=True)
        command, environment = [sys.executable, "-E", *arguments], self._environment(name)
        with log.open("ab") as output:
            return subprocess.Popen(
                command, env=environment, cwd=self.home, stdout=output, stderr=output
            )

    # --- what each is told -----------------------------------------------------------------------

    def _environment(self, name: str) -> dict[str, str]:
        http_port, admin_port = self._ports[name]
        common = {
            "PATH": os.defpath,
            "MALLOC_ARENA_MAX": "1",  # as in the images
            "HTTP_HOST": HOST,
            "HTTP_PORT": str(http_port),
            "ADMIN_PORT": str(admin_port),
            "TOKEN_JWKS": self.keys.token_jwks,
            "IDEMPOTENCY_KEY": self.keys.idempotency_key,
            "LOG_LEVEL": "WARNING",
        }
        return common | self._haste | self._stores(name) | self._own(name)

    def _stores(self, name: str) -> dict[str, str]:
        if name not in self._urls:
            return {"DATA_DIR": str(self.folder / name)}
        broker = f"nats://{name}:{name}@{HOST}:{self._broker_port}"
        return {"DATABASE_URL": self._urls[name], "NATS_URL": broker}

    def _own(self, name: str) -> dict[str, str]:
        secrets = {
            "BANK_SECRET": self.keys.bank_secret,
            "WEBHOOK_SECRET": self.keys.webhook_secret,
        }
        hook = f"{self.url('payments')}/api/v1/webhooks/bank"
        admin = {"ADMIN_EMAIL": ADMIN_EMAIL, "ADMIN_PASSWORD": self.keys.admin_password}
        own = {
            "auth": {"TOKEN_KEYS": self.keys.token_keys, **admin},
            "catalog": {"QUOTE_KEYS": self.keys.quote_keys},
            "orders": {"QUOTE_JWKS": self.keys.quote_jwks},
            "payments": {"BANK_URL": self.url("bank"), **secrets},
            "bank": {"PUBLIC_URL": self.url("bank"), "WEBHOOK_URL": hook, **secrets},
        }
        return own.get(name, {})

    # --- who looks -------------------------------------------------------------------------------

    async def audit(self, *more: str) -> tuple[int, str]:
        """`shop audit` over HTTP as typed: exit code and what it said."""
        secret = self.folder / "admin-password"
        secret.write_text(self.keys.admin_password)
        where = [f"--admin={name}={self.admin_url(name)}" for name in WITH_DATABASE]
        sign_in = ("--url", self.url("auth"), "--admin-password-file", str(secret))
        return await _said([sys.executable, "-E", "-m", "shop", "audit", *sign_in, *where, *more])


async def _said(command: Sequence[str]) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    output, _ = await process.communicate()
    return process.returncode or 0, output.decode()


async def _is_ready(http: httpx.AsyncClient) -> bool:
    with suppress(httpx.TransportError):
        return (await http.get("/readyz")).is_success
    return False
