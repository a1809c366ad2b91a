"""The strings and numbers of the API, each with its bounds: CEL's cost budget needs them all."""

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, PlainValidator, WithJsonSchema

from microservice_operator.api import quantity

DNS_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
LABEL_KEY = rf"({DNS_LABEL}([.]{DNS_LABEL})*/)?[A-Za-z0-9]([-A-Za-z0-9_.]{{0,61}}[A-Za-z0-9])?"
FIRST = r"([^/.][^/]*|[.]|[.][^/.][^/]*)"  # Kubernetes keeps names that start with `..` to itself
SEGMENT = r"([^/.][^/]*|[.]|[.][^/.][^/]*|[.][.][^/]+)"  # anything but `..`
INSIDE = rf"^{FIRST}(/+{SEGMENT})*/*$"
OUTSIDE = "the path leads out of the volume; make it relative and without `..`"

Label = Annotated[str, Field(min_length=1, max_length=63, pattern=rf"^{DNS_LABEL}$")]
Subdomain = Annotated[
    str, Field(min_length=1, max_length=253, pattern=rf"^{DNS_LABEL}([.]{DNS_LABEL})*$")
]
Hostname = Annotated[
    str, Field(min_length=1, max_length=253, pattern=rf"^([*][.])?{DNS_LABEL}([.]{DNS_LABEL})*$")
]
PortName = Annotated[
    str, Field(min_length=1, max_length=15, pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$")
]
PortNumber = Annotated[int, Field(ge=1, le=65535)]
Protocol = Literal["TCP", "UDP", "SCTP"]
EnvName = Annotated[
    str, Field(min_length=1, max_length=256, pattern=r"^[-._a-zA-Z][-._a-zA-Z0-9]*$")
]
DataKey = Annotated[
    str,
    Field(
        min_length=1, max_length=253, pattern=r"^([-_a-zA-Z0-9]|[.][-_a-zA-Z0-9])[-._a-zA-Z0-9]*$"
    ),
]
AbsolutePath = Annotated[str, Field(min_length=1, max_length=512, pattern=r"^/[^:]*$")]
Text = Annotated[str, Field(max_length=4096)]
Word = Annotated[str, Field(min_length=1, max_length=256)]
LabelValue = Annotated[
    str, Field(max_length=63, pattern=r"^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$")
]
FileMode = Annotated[int, Field(ge=0, le=0o777)]
UserId = Annotated[int, Field(ge=1, le=2**31 - 1)]
Seconds = Annotated[int, Field(ge=0, le=86400)]
Strings = Annotated[tuple[Text, ...], Field(max_length=64)]


def _label_key(key: str) -> str:
    if not re.fullmatch(LABEL_KEY, key) or len(key.rpartition("/")[0]) > 253:
        raise ValueError(f"{key!r} is no label key; write it as name or domain/name")
    return key


def _relative(path: str) -> str:
    if path.startswith(("/", "..")) or ".." in path.split("/"):
        raise ValueError(OUTSIDE)
    return path


LabelKey = Annotated[
    str,
    Field(min_length=1, max_length=317, json_schema_extra={"pattern": f"^{LABEL_KEY}$"}),
    AfterValidator(_label_key),
]
RelativePath = Annotated[
    str,
    Field(
        min_length=1,
        max_length=256,
        json_schema_extra={"pattern": INSIDE},
    ),
    AfterValidator(_relative),
]
Labels = Annotated[dict[LabelKey, LabelValue], Field(max_length=32)]
Annotations = Annotated[
    dict[LabelKey, Annotated[str, Field(max_length=4096)]], Field(max_length=32)
]


def _quantity(value: Any) -> str:
    text = str(value)
    if isinstance(value, bool) or not re.fullmatch(quantity.PATTERN, text):
        raise ValueError("not a quantity; write it like 100m, 1.5, 128Mi or 2G")
    return quantity.canonical(text)


Quantity = Annotated[
    str,
    PlainValidator(_quantity),
    WithJsonSchema(
        {
            "x-kubernetes-int-or-string": True,
            "anyOf": [{"type": "integer"}, {"type": "string"}],
            "pattern": quantity.PATTERN,
            "maxLength": 24,
        }
    ),
]


def _count_or_percent(value: Any) -> int | str:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 1000:
        return value
    if isinstance(value, str) and re.fullmatch("(100|[0-9]{1,2})%", value):
        return value
    raise ValueError("write a number of pods such as 1, or a percentage such as 25%")


CountOrPercent = Annotated[
    int | str,
    PlainValidator(_count_or_percent),
    WithJsonSchema(
        {
            "x-kubernetes-int-or-string": True,
            "anyOf": [{"type": "integer"}, {"type": "string"}],
            "pattern": "^(100|[0-9]{1,2})%$",
            "maxLength": 4,
            "minimum": 0,
            "maximum": 1000,
        }
    ),
]


def _port(value: Any) -> int | str:
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 65535:
        return value
    if (
        isinstance(value, str)
        and re.fullmatch("[a-z][a-z0-9]*(-[a-z0-9]+)*", value)
        and len(value) <= 15
    ):
        return value
    raise ValueError("write a port number, or the name of an entry of spec.ports")


PortRef = Annotated[
    int | str,
    PlainValidator(_port),
    WithJsonSchema(
        {
            "x-kubernetes-int-or-string": True,
            "anyOf": [{"type": "integer"}, {"type": "string"}],
            "pattern": "^[a-z][a-z0-9]*(-[a-z0-9]+)*$",
            "maxLength": 15,
            "minimum": 1,
            "maximum": 65535,
        }
    ),
]
