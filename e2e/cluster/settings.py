"""The home of the environment: folders and switches, read once."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Settings:
    cache: Path  # what was built or downloaded; shared by all checkouts of a user
    run: Path  # kubeconfigs and logs of this checkout
    install: bool  # may Debian packages be installed?


def _cache_folder() -> Path:
    if chosen := os.environ.get("MICROSERVICE_CACHE"):
        return Path(chosen).expanduser().resolve()
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "microservice-operator"


def load() -> Settings:
    return Settings(
        cache=_cache_folder(),
        run=REPOSITORY / ".run",
        install=os.environ.get("INSTALL", "yes").lower() not in {"no", "0", "false"},
    )
