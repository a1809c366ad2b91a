"""Nothing that may be secret is ever told: not in a log, a status, an event or a metric."""

import base64
import json
from typing import Any

import pytest
from tests.api.operator_process import Operators
from tests.api.proxy import FaultProxy
from tests.api.rules import Answer, Rule
from tests.api.world import World

from microservice_operator.api.kinds import MICROSERVICE, Kind

pytestmark = pytest.mark.api

SECRET = Kind("v1", "Secret", "secrets")


def test_no_value_that_may_be_secret_is_ever_told(
    world: World, started: Operators, proxy: FaultProxy
) -> None:
    places = ("env", "secret", "argument", "command", "header")
    canaries = {place: proxy.canary(f"canary-{place}-5f2b9c") for place in places}
    operator = started.start("talkative", log_level="DEBUG")
    keep_secret(world, canaries["secret"])
    world.create(**hiding(canaries))
    world.until_ready()
    for code in (500, 422, 403):  # refused and retried: errors are logged and told
        proxy.use(Rule(Answer(code), method="PATCH", path="deployments", times=2))
        world.change(env=[*hiding(canaries)["env"], {"name": "RELEASE", "value": str(code)}])
        world.until(lambda: world.condition("Ready"))
    proxy.clear()
    world.change(command=["sh", "-c", f"exit 1 # {canaries['command']}"])
    world.until(lambda: world.reason("Ready") == "CrashLoopBackOff", 90)
    told = {
        "log": operator.log.read_text(),
        "status": json.dumps(world.get(MICROSERVICE)["status"]),
        "events": json.dumps(world.events()),
        "metrics": operator.metrics(),
    }
    operator.stop()
    assert "web: created Deployment web" in told["log"]
    assert {
        (c, where) for c in canaries.values() for where, text in told.items() if c in text
    } == set()


def keep_secret(world: World, value: str) -> None:
    data = {"password": base64.b64encode(value.encode()).decode()}
    world.post(SECRET, {"metadata": {"name": "keys"}, "data": data})


def hiding(canaries: dict[str, str]) -> dict[str, Any]:
    """A spec with all of them."""
    reference = {"secretKeyRef": {"name": "keys", "key": "password"}}
    header = {"name": "X-Token", "value": canaries["header"]}
    request = {"port": "http", "path": "/hosts", "httpHeaders": [header]}
    return {
        "env": [
            {"name": "TOKEN", "value": canaries["env"]},
            {"name": "PASSWORD", "valueFrom": reference},
        ],
        "args": [canaries["argument"]],
        "probes": {"readiness": {"httpGet": request, "periodSeconds": 1}},
    }
