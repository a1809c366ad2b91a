"""What the API server itself has written down about who did what."""

import re
from collections.abc import Iterable
from pathlib import Path

from benchmarks import audit
from benchmarks.audit import Entry
from e2e.cluster import audited, settings
from e2e.cluster import cluster as clusters

from microservice_operator.api.kinds import MICROSERVICE
from microservice_operator.desired import KINDS

KUBERNETES = re.compile(r"system:(serviceaccount:kube-system:.+|kube-.+|node:.+|apiserver)")
TESTS = "kubernetes-admin"
RESOURCES = frozenset({kind.plural for kind in KINDS.values()} | {f"{MICROSERVICE.plural}/status"})


class Audit:
    """The log of one cluster, from a place in it on."""

    def __init__(self, kubeconfig: Path) -> None:
        name = kubeconfig.name.partition(".")[0]
        self._log = audited.log(clusters.named(settings.load(), name).audit)

    def here(self) -> int:
        """The place at which the next line will be."""
        return self._log.stat().st_size

    def since(self, place: int) -> list[Entry]:
        return list(audit.read(self._log, place, self.here()))

    def writes(self, place: int, user: str, namespace: str = "") -> list[str]:
        """What this user has written since, beside its Lease and its reviews, as `words`."""
        return [
            f"{entry.words} {entry.name}"
            for entry in self.since(place)
            if entry.writes and entry.user == user and namespace in ("", entry.namespace)
        ]


def strangers(entries: Iterable[Entry], known: Iterable[str]) -> set[str]:
    """Who else has written to children or to a status in a namespace of tests, and what."""
    allowed = {TESTS, *known}
    return {
        f"{entry.user} {entry.words}"
        for entry in entries
        if entry.writes
        and entry.namespace.startswith("test-")
        and entry.resource in RESOURCES
        and entry.user not in allowed
        and not KUBERNETES.fullmatch(entry.user)
    }
