"""What several nodes on one machine use up of their kernel: too little, and kube-proxy ends with
"too many open files" (kind's known issues)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from e2e.cluster.progress import progress

INOTIFY = Path("/proc/sys/fs/inotify")
LEAST: Mapping[str, int] = {"max_user_instances": 1024, "max_user_watches": 524288}


def widen(folder: Path = INOTIFY) -> None:
    """Never narrower; who may not change it is told the command."""
    for name, wanted in LEAST.items():
        file = folder / name
        if not file.exists() or int(file.read_text()) >= wanted:
            continue
        try:
            file.write_text(str(wanted))
        except OSError:
            progress.say(f"if a node does not start: sysctl -w fs.inotify.{name}={wanted}")
