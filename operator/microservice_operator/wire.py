"""Parts of the spec in the form the API server stores: what we apply is what we read back."""

from collections.abc import Mapping
from typing import Any

from microservice_operator.api.model import Model

# `omitempty` without a pointer in the Go types: the server drops these when they are zero.
ZERO_IS_ABSENT = frozenset({"readOnly", "initialDelaySeconds", "minReadySeconds"})
# An empty one of these means something: everything, or a volume.
EMPTY_IS_KEPT = frozenset({"emptyDir", "podSelector", "namespaceSelector", "labelSelector"})


def wire(part: Model) -> dict[str, Any]:
    """As written; `names.child` tidies the whole."""
    return part.model_dump(by_alias=True, exclude_none=True)


def wires(parts: tuple[Model, ...]) -> list[dict[str, Any]]:
    return [wire(part) for part in parts]


def tidy(body: Mapping[str, Any]) -> dict[str, Any]:
    """Without what the server would drop: nulls, empty lists and maps, zeros that mean absent."""
    kept = {}
    for key, given in body.items():
        value = _clean(given)
        if value or _means_something(key, value):
            kept[key] = value
    return kept


def _clean(value: Any) -> Any:
    kind = type(value)  # half of a pass is spent here, and isinstance() is several times slower
    if kind is dict:
        return tidy(value)
    return [_clean(item) for item in value] if kind is list or kind is tuple else value


def _means_something(key: str, empty: Any) -> bool:
    if empty is None or (key in ZERO_IS_ABSENT and empty in (0, False)):
        return False
    return key in EMPTY_IS_KEPT or not isinstance(empty, dict | list)
