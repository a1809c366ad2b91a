"""What the machine did while something was measured."""

from __future__ import annotations

from typing import Any

from benchmarks import meters
from benchmarks.meters import Snapshot
from benchmarks.shop.rig import SERVERS, Stage


class Window:
    """Open from its making to `close`."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._before, self._roots = Snapshot.take(), stage.components()

    def close(self) -> dict[str, Any]:
        """CPU in seconds and peak memory by component; one that was killed begins anew."""
        after, roots = Snapshot.take(), self._stage.components()
        noise = meters.noise(self._before, after, "")
        return {
            "seconds": round(after.at - self._before.at, 2),
            "cpu_s": {name: round(self._used(name, roots[name], after), 2) for name in roots},
            "memory_mb": {
                name: round(meters.rss_mb(root, peak=True), 1)
                for name, root in roots.items()
                if name != SERVERS[0]  # its processes share most of theirs
            },
            "steal": round(noise.steal, 4),
            "void": "; ".join(noise.reasons()) or None,
        }

    def _used(self, name: str, root: int, after: Snapshot) -> float:
        """A server that took over from another since then brings all it has used."""
        before = _cpu(self._before, root) if self._roots.get(name) == root else 0.0
        return _cpu(after, root) - before


def _cpu(snapshot: Snapshot, root: int) -> float:
    return sum(
        snapshot.processes[pid].cpu
        for pid in meters.below(snapshot.processes, root)
        if pid in snapshot.processes
    )
