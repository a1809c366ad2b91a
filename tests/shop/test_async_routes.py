"""What is not async runs in a thread: a fifth of a millisecond and a turn for each request."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from shop.installation import Installation
from shop.processes import NAMES
from shop.services import Place, embedded


def _api_routes(routes: list[Any]) -> Iterator[APIRoute]:
    for route in routes:
        if isinstance(route, APIRoute):
            yield route
        elif included := getattr(route, "original_router", None):
            yield from _api_routes(included.routes)


def _calls(dependant: Dependant) -> Iterator[Callable[..., Any]]:
    if dependant.call is not None:
        yield dependant.call
    for inner in dependant.dependencies:
        yield from _calls(inner)


def _is_async(call: Callable[..., Any]) -> bool:
    return any(map(inspect.iscoroutinefunction, (call, getattr(call, "__call__", None))))  # noqa: B004


@pytest.mark.parametrize("name", NAMES)
def test_every_route_and_everything_it_depends_on_is_async(tmp_path: Path, name: str) -> None:
    (service,) = embedded(Place(1, 2, tmp_path), Installation.new(), only={name})
    routes = list(_api_routes(service.app.routes))
    assert routes
    calls = {call for route in routes for call in _calls(route.dependant)}
    assert not [call for call in calls if not _is_async(call)]
