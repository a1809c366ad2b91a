"""What the API server checks of a single field: the schema of the CRD, closed, with defaults."""

import difflib
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

from microservice_operator.api.crd import crd
from microservice_operator.api.scalars import LABEL_KEY
from msvc.documents import Place
from msvc.exits import missing_extra
from msvc.finding import Finding

Schema = Mapping[str, Any]
LIST_KEYS = "x-kubernetes-list-map-keys"
STRINGS = {"type": "object", "additionalProperties": {"type": "string"}}
ANYTHING: dict[str, Any] = {}
# meta/v1 ObjectMeta, which the CRD leaves to the API server.
METADATA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 1},
        "generateName": {"type": "string"},
        "namespace": {
            "type": "string",
            "maxLength": 63,
            "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
        },
        "labels": {
            "type": "object",
            "propertyNames": {"pattern": f"^{LABEL_KEY}$"},
            "additionalProperties": {
                "type": "string",
                "maxLength": 63,
                "pattern": "^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$",
            },
        },
        "annotations": STRINGS | {"propertyNames": {"pattern": f"^{LABEL_KEY}$"}},
        "finalizers": {"type": "array", "items": {"type": "string"}},
        "ownerReferences": {"type": "array", "items": {"type": "object"}},
        # What the API server writes itself, in a file that was read from it.
        "uid": {"type": "string"},
        "resourceVersion": {"type": "string"},
        "generation": {"type": "integer"},
        "creationTimestamp": ANYTHING,
        "deletionTimestamp": ANYTHING,
        "deletionGracePeriodSeconds": ANYTHING,
        "managedFields": ANYTHING,
        "selfLink": ANYTHING,
    },
    "anyOf": [{"required": ["name"]}, {"required": ["generateName"]}],
}
WORDS: dict[str, Callable[[Any], str]] = {
    "anyOf": lambda _: "must be a number or a string",
    "enum": lambda values: f"must be {' or '.join(map(str, values))}",
    "maxItems": lambda n: f"must have at most {n} entries",
    "maxLength": lambda n: f"must have at most {n} characters",
    "maxProperties": lambda n: f"must have at most {n} entries",
    "maximum": lambda n: f"must be at most {n}",
    "minItems": lambda n: f"must have at least {n} entries",
    "minLength": lambda n: f"must have at least {n} characters" if n > 1 else "must not be empty",
    "minimum": lambda n: f"must be at least {n}",
    "pattern": lambda pattern: f"must match {pattern}",
    "required": lambda _: "is missing; it is required",
    "type": lambda name: f"must be of type {name}",
    LIST_KEYS: lambda keys: f"two entries have the same {' and '.join(keys)}; remove one",
}


@cache
def schema() -> dict[str, Any]:
    """Of the whole object, as the CRD has it."""
    (version,) = crd()["spec"]["versions"]
    root: dict[str, Any] = version["schema"]["openAPIV3Schema"]
    return root


def stored(body: Any) -> Any:
    """As the API server takes it: with the defaults of the CRD, and without nulls."""
    if not isinstance(body, dict):
        return body
    return _stored(schema(), {**body, "metadata": _stored(METADATA, body.get("metadata"))})


def _stored(node: Schema, value: Any) -> Any:
    """An unknown field is left for `findings`."""
    fields, others = node.get("properties", {}), node.get("additionalProperties")
    if isinstance(value, dict):
        known = fields if others is None else dict.fromkeys(value, others) | fields
        given = {k: v for k, v in value.items() if v is not None or k not in known}
        absent = {k: inner["default"] for k, inner in fields.items() if "default" in inner}
        return {k: _stored(known.get(k, {}), v) for k, v in {**absent, **given}.items()}
    if isinstance(value, list) and "items" in node:
        return [_stored(node["items"], item) for item in value]
    return value


def findings(body: Any) -> list[Finding]:
    """Of an object as it is `stored`; in the order of its fields."""
    errors = _validator().iter_errors(body)
    return sorted(map(_finding, errors), key=lambda found: [str(step) for step in found.place])


@cache
def _validator() -> Any:
    try:
        import re2  # type: ignore[import-untyped]
        from jsonschema import Draft202012Validator, validators
    except ImportError as error:
        raise missing_extra("validation") from error

    def pattern(_: Any, wanted: str, value: Any, __: Any) -> Iterator[Any]:
        """As Go reads it: Python's `$` would let a line break at the end pass."""
        if isinstance(value, str) and not re2.search(wanted, value):
            yield _error()

    own = {
        "required": _required,
        "additionalProperties": _known,
        "pattern": pattern,
        LIST_KEYS: _distinct,
    }
    extend: Any = validators.extend
    return extend(Draft202012Validator, own)(_root())


def _required(_: Any, names: list[str], value: Any, __: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        yield from (_error("", name) for name in names if name not in value)


def _known(validator: Any, inner: Any, value: Any, node: Schema) -> Iterator[Any]:
    """`inner` is the schema of the fields that are not named; False where there are none."""
    named = node.get("properties", {})
    for name in (n for n in value if n not in named) if isinstance(value, dict) else ():
        if inner is False:
            near = difflib.get_close_matches(name, named, 1)
            yield _error(_unknown(near), name)
        else:
            yield from validator.descend(value[name], inner, path=name)


def _distinct(_: Any, keys: list[str], value: Any, __: Any) -> Iterator[Any]:
    items = [i for i in value if isinstance(i, dict)] if isinstance(value, list) else []
    seen = [tuple(str(item.get(key)) for key in keys) for item in items]
    if len(set(seen)) < len(seen):
        yield _error()


def _error(message: str = "", *path: str) -> Any:
    from jsonschema import ValidationError

    return ValidationError(message, path=path)


def _root() -> dict[str, Any]:
    root = _closed(schema())
    properties = {
        **root["properties"],
        "metadata": _closed(METADATA),
        "apiVersion": {"type": "string"},
    }
    return {**root, "properties": properties, "required": ["metadata", "spec"]}


def _closed(node: Any) -> Any:
    """A structural schema refuses what it does not name."""
    if not isinstance(node, dict):
        return node
    inner: dict[str, Any] = {}
    for key, value in node.items():
        if key == "properties":
            inner[key] = {name: _closed(field) for name, field in value.items()}
        elif key in ("items", "additionalProperties"):
            inner[key] = _closed(value)
        else:
            inner[key] = value
    return inner | ({"additionalProperties": False} if "properties" in inner else {})


def _finding(error: Any) -> Finding:
    place: Place = tuple(error.absolute_path)
    words = WORDS.get(error.validator)
    return Finding(place, words(error.validator_value) if words else error.message)


def _unknown(near: list[str]) -> str:
    return "is no field of a MicroService" + (f"; did you mean {near[0]}?" if near else "")
