"""What a running operator tells Prometheus."""

from tests.fakeapi import FakeApi
from tests.wiring.conftest import Start

from microservice_operator.desired import KINDS

MONITOR = KINDS["ServiceMonitor"]
SILENCE = 'microservice_operator_watch_silence_seconds{resource="%s"}'


async def test_the_silence_of_every_watch_is_told_by_its_resource(
    api: FakeApi, start: Start
) -> None:
    operator = await start()
    lines = [SILENCE % kind.resource for kind in KINDS.values()]
    await operator.until(lambda app: all(line in app.metrics.text() for line in lines))


async def test_a_watch_that_ended_with_its_kind_is_not_called_silent(
    api: FakeApi, start: Start
) -> None:
    operator = await start()
    line = SILENCE % MONITOR.resource
    await operator.until(lambda app: line in app.metrics.text())
    api.uninstall(MONITOR)
    await operator.until(lambda app: line not in app.metrics.text())
