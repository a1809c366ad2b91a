"""Parts of Kubernetes objects, cut to what the schema of the CRD has a place for."""

from collections.abc import Mapping
from typing import Any

from msvc import structure
from msvc.documents import Place
from msvc.finding import Finding
from msvc.verdict import verdict

# What the API server fills in. The operator does so as well, or it changes nothing.
DEFAULTS: Mapping[str, Any] = {
    "apiVersion": "v1",
    "defaultMode": 420,
    "divisor": "0",
    "failureThreshold": 3,
    "periodSeconds": 10,
    "protocol": "TCP",
    "scheme": "HTTP",
    "successThreshold": 1,
    "terminationMessagePath": "/dev/termination-log",
    "timeoutSeconds": 1,
}
WITHOUT_LOSS = {**DEFAULTS, "type": "Exact"}  # as the only type that there is need not be said


class Fitting:
    """`lost` names what was cut away, by its place in the MicroService."""

    def __init__(self) -> None:
        self.lost: list[str] = []

    def spec(self, raw: Mapping[str, Any]) -> dict[str, Any]:
        fields = structure.schema()["properties"]["spec"]["properties"]
        return self._fields(fields, raw, ("spec",))

    def legal(self, body: dict[str, Any]) -> None:
        """Take every field from `body` that would be refused by itself. What breaks a rule between
        fields stays: which of them has to go is for a person to say."""
        while broken := structure.findings(structure.stored(body)):
            place = _removable(body, broken[0].place)
            if len(place) < 2:
                break
            self.lost.append(f"{broken[0].path}: {broken[0].message}")
            del _at(body, place[:-1])[place[-1]]
        self.lost += [f"{found.path}: {found.message}" for found in verdict(body)]

    def _fit(self, node: Mapping[str, Any], value: Any, place: Place) -> Any:
        if isinstance(value, Mapping) and "properties" in node:
            return self._fields(node["properties"], value, place)
        if isinstance(value, list) and "items" in node:
            return [self._fit(node["items"], item, (*place, i)) for i, item in enumerate(value)]
        return value

    def _fields(
        self, fields: Mapping[str, Any], value: Mapping[str, Any], place: Place
    ) -> dict[str, Any]:
        kept = {}
        for name, inner in value.items():
            if name not in fields:
                if inner and WITHOUT_LOSS.get(name) != inner:
                    self.lost.append(Finding((*place, name), "").path)
            elif inner not in (None, DEFAULTS.get(name), fields[name].get("default")):
                fitted = self._fit(fields[name], inner, (*place, name))
                if fitted != {} or inner == {}:
                    kept[name] = fitted
        return kept


def _removable(body: Any, place: Place) -> Place:
    """Of a list, the whole entry: a route or a rule without one of its fields would let more in.
    Of a field that is missing, that which should have it."""
    indices = [number for number, step in enumerate(place) if isinstance(step, int)]
    if indices:
        return place[: indices[0] + 1]
    while place and _at(body, place) is None:
        place = place[:-1]
    return place


def _at(body: Any, place: Place) -> Any:
    for step in place:
        inside = isinstance(body, dict) and step in body
        if not inside and not (isinstance(body, list) and isinstance(step, int)):
            return None
        body = body[step]
    return body
