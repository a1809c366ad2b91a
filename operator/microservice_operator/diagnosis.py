"""Pods -> why they do not run, in plain words."""

from collections.abc import Mapping
from typing import Any

from microservice_operator.api.service import MicroService
from microservice_operator.observed import Observed, PodFacts


def wants_pods(service: MicroService, seen: Observed) -> bool:
    """Whether this pass should look at the pods: they have been missing for 10 s.

    The caller lists them at most every 15 s and passes the last look again in between."""
    raise NotImplementedError


def pod(raw: Mapping[str, Any]) -> PodFacts:
    raise NotImplementedError
