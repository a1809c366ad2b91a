"""`shop up` as a real process, for tests."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shop.customer import Credentials
from shopkit.testing import free_port

# A loaded machine needs longer than the ten seconds that a person is promised.
PATIENCE = 90.0
_ADMIN = re.compile(r"demo admin\s+(\S+)\s+(\S+)")
_CLOCK_TICKS = os.sysconf("SC_CLK_TCK")


class RunningShop:
    """One data folder and its ports; the process may end and start again."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder, self._options = folder, options
        self._port, self._admin_port = free_port(), free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def admin_url(self) -> str:
        return f"http://127.0.0.1:{self._admin_port}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def log(self) -> Path:
        return self.folder / "shop.log"

    def output(self) -> str:
        return self.log.read_text(encoding="utf-8")

    def admin(self) -> Credentials:
        found = _ADMIN.search(self.output())
        assert found, self.output()
        return Credentials(found[1], found[2])

    def start(self, *more: str) -> None:
        """Returns when the shop says that it is open; `more` options for this start alone."""
        ports = ["--port", str(self._port), "--admin-port", str(self._admin_port)]
        data = ["--data", str(self.folder / "data")]
        # -E: where PYTHONDONTWRITEBYTECODE is set, every start would compile everything again.
        command = [sys.executable, "-E", "-m", "shop", "up", *ports, *data, *self._options, *more]
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder)
        self._wait_until_open(self._process)

    def _wait_until_open(self, process: "subprocess.Popen[bytes]") -> None:
        deadline = time.monotonic() + PATIENCE
        while "The shop is open" not in self.output():
            assert process.poll() is None, self.output()
            assert time.monotonic() < deadline, f"not open after {PATIENCE} s: {self.output()}"
            time.sleep(0.05)

    def cpu_seconds(self) -> float:
        """Used so far: unlike the clock, it does not depend on what else the machine does."""
        fields = Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii").split()
        return (int(fields[13]) + int(fields[14])) / _CLOCK_TICKS

    def ended(self) -> int:
        """The exit code of a process that ends by itself."""
        assert self._process is not None
        process, self._process = self._process, None
        return process.wait(PATIENCE)

    def end(self, how: signal.Signals) -> int:
        """The exit code."""
        assert self._process is not None
        process, self._process = self._process, None
        process.send_signal(how)
        return process.wait(PATIENCE)

    def close(self) -> None:
        if self._process is not None:
            self.end(signal.SIGKILL)


@contextmanager
def running(folder: Path, *options: str) -> Iterator[RunningShop]:
    shop = RunningShop(folder, *options)
    try:
        shop.start()
        yield shop
    finally:
        shop.close()
