"""The API server's audit log: who asked for what, and what was answered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

WRITES = frozenset({"create", "update", "patch", "delete", "deletecollection"})
# An operator's own affairs, counted apart: its Lease, and questions about its rights.
ASIDE = frozenset({"leases", "selfsubjectaccessreviews", "selfsubjectrulesreviews"})


class AuditGap(Exception):
    """Lines are missing or damaged: nothing may be counted."""


@dataclass(frozen=True, slots=True)
class Entry:
    user: str  # system:serviceaccount:NAMESPACE:NAME
    verb: str
    resource: str  # with its subresource, "" for a path that is no resource
    code: int
    namespace: str
    name: str
    received: float  # seconds since the epoch, by the machine's clock
    path: str

    @property
    def writes(self) -> bool:
        return self.verb in WRITES and self.resource not in ASIDE

    @property
    def words(self) -> str:
        return f"{self.verb} {self.resource or self.path} {self.code}"


def read(log: Path, start: int, end: int) -> Iterator[Entry]:
    """The entries between two sizes of the file. Raises AuditGap."""
    with log.open("rb") as lines:
        lines.seek(start)
        while (place := lines.tell()) < end:
            raw = lines.readline()
            try:
                yield _entry(orjson.loads(raw))
            except (orjson.JSONDecodeError, KeyError) as error:
                raise AuditGap(f"the audit log is damaged at byte {place}: {error}") from error


def counted(entries: Iterable[Entry]) -> dict[str, int]:
    """Requests by verb, resource and code; without watches, which last, and without ASIDE."""
    kept = (e for e in entries if e.verb != "watch" and e.resource not in ASIDE)
    return dict(sorted(Counter(entry.words for entry in kept).items()))


def answered(entries: Iterable[Entry]) -> int:
    """How many a client believes to have sent."""
    return sum(entry.verb != "watch" for entry in entries)


def writes(requests: dict[str, int]) -> int:
    return sum(count for words, count in requests.items() if words.split()[0] in WRITES)


def _entry(raw: dict[str, Any]) -> Entry:
    target = raw.get("objectRef") or {}
    parts = (target.get("resource", ""), target.get("subresource", ""))
    return Entry(
        user=raw["user"]["username"],
        verb=raw["verb"],
        resource="/".join(part for part in parts if part),
        code=(raw.get("responseStatus") or {}).get("code", 0),
        namespace=target.get("namespace", ""),
        name=target.get("name", ""),
        received=datetime.fromisoformat(raw["requestReceivedTimestamp"]).timestamp(),
        path=raw["requestURI"].partition("?")[0],
    )
