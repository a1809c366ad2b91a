"""`msvc pause` and `msvc resume`: annotations that the operator reads."""

import argparse
from typing import Any

from microservice_operator.api.service import PAUSED
from msvc.cluster import Cluster, add_cluster
from msvc.command import Command
from msvc.exits import Exit
from msvc.printing import add_output, show


def add_name(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="of the MicroService")
    add_cluster(parser)
    add_output(parser)


def _pause(options: argparse.Namespace) -> Exit:
    return _set(options, "true", "is paused: the operator writes nothing until `msvc resume`")


def _resume(options: argparse.Namespace) -> Exit:
    return _set(options, None, "is resumed: what has changed meanwhile is carried out now")


def _set(options: argparse.Namespace, paused: str | None, words: str) -> Exit:
    cluster = Cluster.of(options)
    namespace = options.namespace or cluster.namespace
    answer = cluster.annotate(namespace, options.name, {PAUSED: paused})
    show(options, _value(answer), lambda paint: f"{paint.bold(options.name)} {words}")
    return Exit.OK


def _value(answer: Any) -> dict[str, Any]:
    metadata = answer["metadata"]
    paused = (metadata.get("annotations") or {}).get(PAUSED) == "true"
    return {"namespace": metadata["namespace"], "name": metadata["name"], "paused": paused}


PAUSE = Command(
    name="pause",
    summary="the operator leaves a service alone",
    about="Set the annotation by which the operator writes nothing to a MicroService and its"
    " children, not\neven a status. Its pods run on.",
    example="msvc pause orders -n shop",
    arguments=add_name,
    run=_pause,
)
RESUME = Command(
    name="resume",
    summary="end a pause",
    about="Remove the annotation that `msvc pause` has set. What was changed by hand and belongs to"
    " the spec\nis put back.",
    example="msvc resume orders -n shop",
    arguments=add_name,
    run=_resume,
)
