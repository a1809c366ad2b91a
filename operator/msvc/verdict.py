"""What the API server and the operator will say of an object, without either of them."""

import re
from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from microservice_operator.api.kinds import MICROSERVICE
from microservice_operator.api.service import MicroService
from microservice_operator.api.spec import Spec
from microservice_operator.errors import InvalidSpec
from msvc import cel, structure
from msvc.documents import Place
from msvc.finding import Finding

# What parse() needs and no file has.
UNSET = {"name": "unset", "namespace": "default", "uid": "unset", "resourceVersion": "0"}
GENERATED = "xxxxx"  # what the API server adds to a generateName, in length and form


def verdict(body: Any) -> list[Finding]:
    """Nothing if it will be accepted, and in effect as far as the file decides. As on the API
    server, rules between fields are looked at once every field by itself is right."""
    if not isinstance(body, dict):
        return [Finding((), "must be an object")]
    if body.get("apiVersion") != MICROSERVICE.api_version:
        return [Finding(("apiVersion",), f"must be {MICROSERVICE.api_version}")]
    whole = structure.stored(body)
    if broken := structure.findings(whole):
        words = _words(body.get("spec"))
        return [replace(found, message=words.get(found.place, found.message)) for found in broken]
    return _between_fields(whole) or _of_the_operator(whole)


def _words(spec: Any) -> dict[Place, str]:
    """What the operator says of a field where it has a sentence of its own, which names the fix."""
    try:
        Spec.model_validate(spec)
    except ValidationError as error:
        own = [e for e in error.errors(include_input=False) if e["type"] == "value_error"]
        return {("spec", *e["loc"]): e["msg"].removeprefix("Value error, ") for e in own}
    return {}


def _between_fields(body: dict[str, Any]) -> list[Finding]:
    metadata = body["metadata"]
    named = {"name": metadata.get("generateName", "") + GENERATED} | metadata
    schema = structure.schema()
    without_status = {k: v for k, v in body.items() if k != "status"}
    return cel.findings(schema, without_status | {"metadata": {"name": named["name"]}})


def _of_the_operator(body: dict[str, Any]) -> list[Finding]:
    """What no CRD can say."""
    try:
        MicroService.parse({"metadata": UNSET, "spec": body["spec"]})
    except InvalidSpec as error:
        return [Finding(_place(error.path), error.reason)]
    return []


def _place(path: str) -> Place:
    steps = re.findall(r"[.]([^.\[]+)|\[(\d+)\]", path)
    return tuple(name or int(index) for name, index in steps)
