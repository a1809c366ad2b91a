"""Debian packages: announced, as root only, and refusable (`INSTALL=no` prints the commands)."""

from __future__ import annotations

import os
import platform
import shlex
import shutil
from collections.abc import Sequence
from pathlib import Path

from e2e.cluster import cache, command
from e2e.cluster.errors import Problem
from e2e.cluster.progress import progress
from e2e.cluster.settings import Settings

# Package -> programs of which one will do.
PROGRAMS = {
    "chromium": ("/usr/bin/chromium", "chromium", "chromium-browser", "google-chrome"),
    "postgresql": ("/usr/lib/postgresql/*/bin/postgres", "postgres"),
}
# Of a package that would start a service, one program is enough: package -> its path in there.
TAKEN_OUT = {"prometheus": "usr/bin/promtool"}
INSTALL = ("apt-get", "install", "-y", "-qq")
OTHERS_FIRST = ("-o", "DPkg::Lock::Timeout=600")  # seconds
QUIETLY = {"DEBIAN_FRONTEND": "noninteractive"}


def ensure(settings: Settings, *names: str, why: str) -> None:
    """Install what is missing of these packages."""
    if not (missing := _missing(names)):
        return
    _permit(settings, why, shlex.join([*INSTALL, *missing]))
    with cache.locked(settings.cache / ".packages.lock"):  # `apt-get update` does not wait
        if missing := _missing(names):
            _install(settings, missing)


def _install(settings: Settings, names: Sequence[str]) -> None:
    log = settings.cache / "logs" / "apt.log"
    with progress.step(f"install the Debian packages {', '.join(names)}", "20 s"):
        command.run("apt-get", "update", "-qq", log=log, env=QUIETLY)
        command.run(*INSTALL, *OTHERS_FIRST, *names, log=log, env=QUIETLY)


def _missing(names: Sequence[str]) -> list[str]:
    return [name for name in names if not _installed(name)]


def _installed(name: str) -> bool:
    status = command.answer("dpkg-query", "-W", "-f", "${db:Status-Status}", name)
    return status == "installed"


def _permit(settings: Settings, why: str, install: str) -> None:
    commands = f"apt-get update && {install}"
    if not shutil.which("apt-get"):
        raise Problem(f"{why}, and this is not a Debian machine", remedy=_elsewhere())
    if os.geteuid() != 0:
        raise Problem(f"{why}, and only root may install it", remedy=f"run as root: {commands}")
    if not settings.install:
        raise Problem(f"{why}, and INSTALL=no forbids to install it", remedy=f"run: {commands}")


def _elsewhere() -> str:
    if platform.system() == "Darwin":
        return "start Docker Desktop, Colima or OrbStack, then run this again"
    return "install and start Docker as your system does it, then run this again"


def program(settings: Settings, package: str) -> Path:
    """Where a program of `PROGRAMS` is: the machine's own, wherever it came from, or Debian's."""
    if not (found := _found(package)):
        ensure(settings, package, why=f"some tests need {package}")
        found = _found(package)
    if not found:
        raise Problem(f"{package} is installed, but none of {PROGRAMS[package]} is there")
    return found


def taken_out(settings: Settings, package: str) -> Path:
    """The program of `TAKEN_OUT`: the machine's own, or out of Debian's package, not installed."""
    inside = Path(TAKEN_OUT[package])
    if host := shutil.which(inside.name):
        return Path(host)

    def make(folder: Path) -> None:
        log = settings.cache / "logs" / "apt.log"
        with (
            cache.locked(settings.cache / ".packages.lock"),  # `apt-get update` does not wait
            progress.step(f"take {inside.name} out of the Debian package {package}", "5 s"),
        ):
            command.run("apt-get", "update", "-qq", log=log, env=QUIETLY)
            command.run("apt-get", "download", package, log=log, env=QUIETLY, cwd=folder)
            (file,) = folder.glob("*.deb")
            command.run("dpkg-deb", "-x", file, folder, log=log)

    folder = settings.cache / "packages"
    if not any(folder.glob(f"{package}-*")):
        _permit(settings, f"some tests need {inside.name}", shlex.join([*INSTALL, package]))
    return cache.kept(settings, f"packages/{package}", [package], make) / inside


def _found(package: str) -> Path | None:
    for name in PROGRAMS[package]:
        if name.startswith("/"):
            paths = sorted(Path("/").glob(name.lstrip("/")))
        else:
            paths = [Path(path)] if (path := shutil.which(name)) else []
        if paths:
            return paths[-1]
    return None
