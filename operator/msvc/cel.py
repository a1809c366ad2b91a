"""The rules of the CRD, evaluated by cel-python with Kubernetes' own functions added.

The libraries: https://kubernetes.io/docs/reference/using-api/cel/#kubernetes-quantity-library and
the CIDR library next to it. Names that CEL reserves or cannot spell are escaped as there.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from functools import cache
from ipaddress import IPv4Interface, IPv6Interface, ip_interface
from typing import Any

from microservice_operator.api import quantity
from msvc.documents import Place
from msvc.exits import missing_extra
from msvc.finding import Finding

Cidr = IPv4Interface | IPv6Interface
RULES = "x-kubernetes-validations"
RESERVED = frozenset(
    {"true", "false", "null", "in", "as", "break", "const", "continue", "else", "for"}
    | {"function", "if", "import", "let", "loop", "package", "namespace", "return"}
    | {"var", "void", "while"}
)
SPELLED = {"__": "__underscores__", ".": "__dot__", "-": "__dash__", "/": "__slash__"}
CIDR = re.compile(r"[0-9a-fA-F.:]+/(0|[1-9][0-9]{0,2})")


def findings(node: Mapping[str, Any], value: Any) -> list[Finding]:
    """The rules that `value`, complete with defaults and of the right structure, breaks."""
    return list(_broken(node, value, _converted(node, value), ()))


def _broken(node: Mapping[str, Any], value: Any, cel: Any, place: Place) -> Iterator[Finding]:
    for rule in node.get(RULES, ()):
        if not _holds(rule["rule"], cel):
            yield Finding(place, rule["message"])
    if isinstance(value, dict):
        fields = node.get("properties", {})
        for name, inner in value.items():
            below = fields.get(name) or node.get("additionalProperties") or {}
            yield from _broken(below, inner, cel[_name(node, name)], (*place, name))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _broken(node.get("items", {}), inner, cel[index], (*place, index))


def _holds(rule: str, cel: Any) -> bool:
    from celpy.evaluation import CELEvalError

    try:
        return bool(_program(rule).evaluate({"self": cel}))
    except CELEvalError:  # the API server refuses what it cannot evaluate, too
        return False


@cache
def _environment() -> Any:
    try:
        from celpy import Environment, InterpretedRunner
    except ImportError as error:
        raise missing_extra("validation") from error
    return Environment(runner_class=InterpretedRunner)  # the compiled one gets our rules wrong


@cache
def _program(rule: str) -> Any:
    environment = _environment()
    return environment.program(environment.compile(rule), functions=dict(FUNCTIONS))


def _converted(node: Mapping[str, Any], value: Any) -> Any:
    _environment()
    from celpy import celtypes
    from celpy.adapter import json_to_cel

    if isinstance(value, dict):
        fields = node.get("properties", {})
        return celtypes.MapType(
            {
                celtypes.StringType(_name(node, name)): _converted(
                    fields.get(name) or node.get("additionalProperties") or {}, inner
                )
                for name, inner in value.items()
            }
        )
    if isinstance(value, list):
        return celtypes.ListType([_converted(node.get("items", {}), item) for item in value])
    return json_to_cel(value)


def _name(node: Mapping[str, Any], name: str) -> str:
    """Fields are escaped, keys of maps are not."""
    if "properties" not in node:
        return name
    if name in RESERVED:
        return f"__{name}__"
    return re.sub(r"__|[./-]", lambda found: SPELLED[found[0]], name)


# The functions. What they are given and return are values of CEL or of these functions alone.


def _quantity(text: Any) -> Fraction:
    return quantity.amount(str(text))


def _compare(one: Fraction, other: Fraction) -> Any:
    from celpy.celtypes import IntType

    return IntType((one > other) - (one < other))


def _above(one: Fraction, other: Fraction) -> Any:
    return _bool(one > other)


def _is_cidr(text: Any) -> Any:
    try:
        return _bool(CIDR.fullmatch(str(text)) is not None and bool(ip_interface(str(text))))
    except ValueError:
        return _bool(False)


def _cidr(text: Any) -> Cidr:
    return ip_interface(str(text))


def _masked(given: Cidr) -> Cidr:
    return ip_interface(str(given.network))


def _contains(outer: Cidr, inner: Cidr) -> Any:
    if isinstance(outer, IPv4Interface) and isinstance(inner, IPv4Interface):
        return _bool(inner.network.subnet_of(outer.network))
    if isinstance(outer, IPv6Interface) and isinstance(inner, IPv6Interface):
        return _bool(inner.network.subnet_of(outer.network))
    return _bool(False)


def _prefix_length(given: Cidr) -> Any:
    from celpy.celtypes import IntType

    return IntType(given.network.prefixlen)


def _bool(value: bool) -> Any:
    from celpy.celtypes import BoolType

    return BoolType(value)


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "quantity": _quantity,
    "compareTo": _compare,
    "isGreaterThan": _above,
    "isCIDR": _is_cidr,
    "cidr": _cidr,
    "masked": _masked,
    "containsCIDR": _contains,
    "prefixLength": _prefix_length,
}
