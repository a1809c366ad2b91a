"""Where the charts are, which helm renders them, and how to find one object in the result."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import yaml

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the CRD is long, libyaml is quick
REPOSITORY = Path(__file__).parents[2]
OPERATOR = "microservice-operator"
SHOP = "shop"

Manifest = dict[str, Any]
Helm = Callable[..., CompletedProcess[str]]
Template = Callable[..., str]
Render = Callable[..., list[Manifest]]


def chart(name: str) -> Path:
    return REPOSITORY / "charts" / name


def load_all(text: str) -> list[Manifest]:
    return [each for each in yaml.load_all(text, LOADER) if each]


def load_crd() -> Manifest:
    """The generated one."""
    (crd,) = load_all((REPOSITORY / "crds" / "microservices.yaml").read_text())
    return crd


def of_kind(kind: str, manifests: Iterable[Manifest]) -> list[Manifest]:
    return [each for each in manifests if each["kind"] == kind]


def only(kind: str, manifests: Iterable[Manifest]) -> Manifest:
    (found,) = of_kind(kind, manifests)
    return found


def pod_specs(manifests: Iterable[Manifest]) -> Iterator[Manifest]:
    for each in manifests:
        if template := each.get("spec", {}).get("template"):
            yield template["spec"]


def closed(schema: Any) -> Any:
    """The schema as `kubectl apply` applies it: a field it does not know is an error."""
    if not isinstance(schema, dict):
        return schema
    result = {key: value for key, value in schema.items() if key != "default"}
    if properties := schema.get("properties"):
        result["properties"] = {key: closed(value) for key, value in properties.items()}
        result["additionalProperties"] = False
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            result[key] = closed(schema[key])
    if schema.get("x-kubernetes-int-or-string"):
        result.pop("anyOf", None)
    return result


def live(manifest: Manifest) -> Manifest:
    """As the API server would hand it out, with what it adds itself."""
    added = {"uid": "00000000-0000-0000-0000-000000000001", "generation": 1, "resourceVersion": "1"}
    return {**manifest, "metadata": {"namespace": "default", **manifest["metadata"], **added}}
