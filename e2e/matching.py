"""What a document of a case demands of a live object."""

from collections.abc import Mapping
from typing import Any

NOTHING: tuple[Any, ...] = (None, [], {})


def lacks(want: Any, live: Any, path: str = "") -> list[str]:
    """Where `live` is not a superset of `want`, in words."""
    if isinstance(want, Mapping):
        if not isinstance(live, Mapping):
            return [f"{path}: wanted an object, found {live!r}"]
        return [line for k, v in want.items() for line in _entry(k, v, live, path)]
    if isinstance(want, list):
        return _list(want, live, path)
    if isinstance(want, str) and want.startswith("~"):
        return [] if want[1:] in str(live) else [f"{path}: {want[1:]!r} is not in {live!r}"]
    return [] if want == live else [f"{path}: wanted {want!r}, found {live!r}"]


def _entry(key: str, want: Any, live: Mapping[str, Any], path: str) -> list[str]:
    found = live.get(key)
    if want is None:
        return [] if found in NOTHING else [f"{path}.{key}: wanted nothing, found {found!r}"]
    return lacks(want, found, f"{path}.{key}")


def _list(want: list[Any], live: Any, path: str) -> list[str]:
    if not isinstance(live, list):
        return [f"{path}: wanted a list, found {live!r}"]
    tries = ([lacks(w, item, f"{path}[{i}]") for item in live] for i, w in enumerate(want))
    return [
        min(t, key=len, default=[f"{path}: wanted {want!r}, found {live!r}"])[0]
        for t in tries
        if all(t)
    ]
