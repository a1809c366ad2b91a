"""Real kopf and real informers against an API in memory, twenty times as fast as life."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from tests.fakeapi import FakeApi
from tests.fakecontrollers import FakeControllers
from tests.fakehttp import served
from tests.running import Operator

SPEED = 20.0
PODS = 80.0  # pods are ready even sooner: most tests only wait for them
Start = Callable[..., Awaitable[Operator]]


@pytest.fixture
async def api() -> AsyncIterator[FakeApi]:
    async with served(FakeApi()) as api:
        yield api


@pytest.fixture
async def controllers(api: FakeApi) -> AsyncIterator[FakeControllers]:
    controllers = FakeControllers(api, PODS)
    yield controllers
    await controllers.stop()


@pytest.fixture
async def start(api: FakeApi, controllers: FakeControllers) -> AsyncIterator[Start]:
    """Start an operator; all that were started are stopped in the end."""
    operators: list[Operator] = []

    async def start(user: str = "operator", speed: float = SPEED, **settings: Any) -> Operator:
        operators.append(Operator(api, user, speed=speed, **settings))
        return await operators[-1].start()

    yield start
    for operator in operators:
        await operator.stop()
