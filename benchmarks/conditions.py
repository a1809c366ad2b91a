"""What has to hold before anything is measured, and of which commit it was."""

from __future__ import annotations

from benchmarks import meters
from e2e.cluster import command
from e2e.cluster.errors import Problem
from e2e.cluster.progress import progress
from e2e.cluster.settings import REPOSITORY


def quiet_enough(*, allow_noise: bool) -> str | None:
    """Why all runs are void from the start; None on a quiet machine. Raises Problem."""
    if not (reasons := meters.too_loud()):
        return None
    if not allow_noise:
        raise Problem(
            f"the machine is not quiet: {', '.join(reasons)}",
            remedy="stop what runs beside, wait a minute, then run this again; "
            "with --allow-noise it goes on, and every run is marked as void",
        )
    progress.say(f"not quiet, so all runs are void: {', '.join(reasons)}")
    return f"not quiet at the start: {', '.join(reasons)}"


def commit() -> str:
    """Of the checked out tree; `-dirty` where a tracked file differs."""
    git = ("git", "-C", REPOSITORY)
    name = command.answer(*git, "rev-parse", "--short", "HEAD") or "unknown"
    dirty = command.answer(*git, "status", "--porcelain", "--untracked-files=no")
    return f"{name}-dirty" if dirty else name
