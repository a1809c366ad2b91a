"""The operator's own rights: which are missing, and whether it can work without them."""

import asyncio
import logging
from collections.abc import Iterable
from typing import Protocol

from microservice_operator import names
from microservice_operator.api.kinds import MICROSERVICE, Kind
from microservice_operator.cluster import DEFINITION, LEASE
from microservice_operator.errors import OperatorError
from microservice_operator.metrics import Metrics

VERBS = ("get", "list", "watch", "create", "patch", "delete")

log = logging.getLogger(__name__)


class NotAllowed(OperatorError):
    """A right is missing without which the operator cannot do anything."""


class Access(Protocol):
    """Asks the API server for our own right; raises ApiError."""

    async def may(
        self, verb: str, resource: str, *, namespace: str = "", name: str = ""
    ) -> bool: ...


async def require(access: Access, namespace: str) -> None:
    """Raises NotAllowed without the rights on MicroServices, their status and our Lease."""
    home, named = {"namespace": namespace}, {"namespace": namespace, "name": names.MANAGER}
    needs: list[tuple[str, str, dict[str, str]]] = [
        *((verb, MICROSERVICE.resource, {}) for verb in ("get", "list", "watch")),
        ("patch", f"{MICROSERVICE.resource}/status", {}),
        ("create", LEASE.resource, home),
        *((verb, LEASE.resource, named) for verb in ("get", "list", "watch", "patch")),
    ]
    answers = await asyncio.gather(*(access.may(verb, what, **at) for verb, what, at in needs))
    missing = [f"{v} {r}" for (v, r, _), allowed in zip(needs, answers, strict=True) if not allowed]
    if missing:
        raise NotAllowed(
            f"the operator may not {', '.join(missing)}: bind its service account to the "
            f"ClusterRole and the Role of the Helm chart (namespace {namespace})"
        )


async def gaps(access: Access, kinds: Iterable[Kind]) -> dict[str, str]:
    """What is missing by child kind, as in {"Service": "create, patch"}."""
    questions = [(kind, verb) for kind in kinds for verb in VERBS]
    answers = await asyncio.gather(*(access.may(verb, kind.resource) for kind, verb in questions))
    missing: dict[str, list[str]] = {}
    for (kind, verb), allowed in zip(questions, answers, strict=True):
        if not allowed:
            missing.setdefault(kind.kind, []).append(verb)
    return {kind: ", ".join(verbs) for kind, verbs in missing.items()}


async def may_watch_definitions(access: Access) -> bool:
    """Whether CRDs can tell us that an optional kind came or went."""
    answers = [await access.may(verb, DEFINITION.resource) for verb in ("list", "watch")]
    return all(answers)


def report(forbidden: dict[str, str], metrics: Metrics) -> None:
    metrics.forbidden.clear()
    for kind, verbs in forbidden.items():
        metrics.forbidden.labels(kind).set(1)
        log.warning("no right to %s %s: services that need one are Stalled", verbs, kind)
