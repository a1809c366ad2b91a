"""What an object was like, version by version: a watch tells the past too."""

import json
from typing import Any

from tests.api.world import World

from microservice_operator.api.kinds import Kind


def here(world: World, kind: Kind) -> str:
    """The version from which `history` goes on."""
    answer = world.server.request("GET", kind.path(world.namespace), params={"limit": "1"})
    return str(answer.json()["metadata"]["resourceVersion"])


def history(world: World, kind: Kind, since: str, name: str = "web") -> list[Any]:
    """Every version of the object since then, in order; of a deleted one, up to its end."""
    params = {
        "watch": "true",
        "resourceVersion": since,
        "timeoutSeconds": "1",
        "fieldSelector": f"metadata.name={name}",
    }
    answer = world.server.request("GET", kind.path(world.namespace), params=params)
    assert answer.is_success, answer.text
    events = [json.loads(line) for line in answer.text.splitlines()]
    assert all(event["type"] != "ERROR" for event in events), events
    return [event["object"] for event in events]


def version(live: Any) -> int:
    return int(live["metadata"]["resourceVersion"])
