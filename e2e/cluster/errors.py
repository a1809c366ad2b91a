"""What can go wrong, in words that say what to do."""

from __future__ import annotations

from pathlib import Path


class Problem(Exception):
    """`log` names a file whose last lines show the cause."""

    def __init__(self, message: str, *, remedy: str = "", log: Path | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.log = log


def last_lines(log: Path, count: int = 15) -> str:
    if not log.exists():
        return ""
    return "\n".join(log.read_text(errors="replace").splitlines()[-count:])


def explain(problem: Problem) -> str:
    lines = [f"error: {problem.message}"]
    if problem.log and (tail := last_lines(problem.log)):
        lines += [
            f"the last lines of {problem.log}:",
            *(f"  | {line}" for line in tail.split("\n")),
        ]
    if problem.remedy:
        lines.append(f"what to do: {problem.remedy}")
    return "\n".join(lines)
