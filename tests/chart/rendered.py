"""Where the charts are, which helm renders them, and how to find one object in the result."""

import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

from e2e.cluster import settings

REPOSITORY = Path(__file__).parents[2]
OPERATOR = "microservice-operator"
SHOP = "shop"

Manifest = dict[str, Any]
Helm = Callable[..., CompletedProcess[str]]
Template = Callable[..., str]
Render = Callable[..., list[Manifest]]


def chart(name: str) -> Path:
    return REPOSITORY / "charts" / name


def find_helm() -> str | None:
    """The host's, else the one the cluster tool built."""
    built = settings.load().cache.glob("go/helm-*/helm")
    return shutil.which("helm") or next(map(str, built), None)


def of_kind(kind: str, manifests: Iterable[Manifest]) -> list[Manifest]:
    return [each for each in manifests if each["kind"] == kind]


def only(kind: str, manifests: Iterable[Manifest]) -> Manifest:
    (found,) = of_kind(kind, manifests)
    return found


def pod_specs(manifests: Iterable[Manifest]) -> Iterator[Manifest]:
    for each in manifests:
        if template := each.get("spec", {}).get("template"):
            yield template["spec"]
