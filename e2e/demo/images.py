"""Our own images: ordinary `docker build`, tagged after the hash of what goes in."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from e2e.cluster import cache, command, oci
from e2e.cluster import images as foreign
from e2e.cluster.errors import Problem
from e2e.cluster.progress import progress
from e2e.cluster.settings import REPOSITORY, Settings

SERVICES = ("auth", "catalog", "orders", "payments", "bank", "storefront")
IGNORED = {"tests", "__pycache__"}
COPY = re.compile(r"^(?:COPY|ADD)\s+(.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Ours:
    """One image; `path` is its name below the prefix."""

    path: str
    dockerfile: Path

    @property
    def inputs(self) -> list[str | Path]:
        """The Dockerfile, and everything that it copies from the repository."""
        if not self.dockerfile.exists():
            raise Problem(f"{self.dockerfile.relative_to(REPOSITORY)} is missing")
        sources = [self.dockerfile, *copied(self.dockerfile.read_text())]
        return [part for path in sources for part in (str(path.relative_to(REPOSITORY)), path)]


OPERATOR = Ours("operator", REPOSITORY / "Dockerfile")
SHOP = tuple(
    Ours(f"shop/{name}", REPOSITORY / "services" / name / "Dockerfile") for name in SERVICES
)


OF_CHART: Mapping[str, Sequence[Ours]] = {
    "microservice-operator": [OPERATOR],
    "shop": SHOP,
}


def copied(dockerfile: str) -> list[Path]:
    """Files that COPY lines take from the repository; .dockerignore keeps tests out."""
    joined = re.sub(r"\\\n\s*", " ", dockerfile)
    sources: set[Path] = set()
    for line in COPY.findall(joined):
        words = line.split()
        if any(word.startswith("--from=") for word in words):
            continue
        names = [word for word in words if not word.startswith("--")][:-1]
        sources |= {path for name in names for path in REPOSITORY.glob(name.strip("/"))}
    return sorted({file for source in sources for file in _files(source)})


def _files(source: Path) -> list[Path]:
    if source.is_file():
        return [source]
    inner = [path for path in source.rglob("*") if path.is_file()]
    return [path for path in inner if not IGNORED & set(path.relative_to(source).parts)]


def tag(version: str, images: Sequence[Ours]) -> str:
    """`<version>-<hash>`: a changed source is a new tag, and so rolls out by itself."""
    return f"{version}-{cache.digest([part for image in images for part in image.inputs])}"


def build(settings: Settings, images: Sequence[Ours], *, prefix: str, tag: str) -> list[str]:
    """References, built where the engine does not hold them yet."""
    references = {f"{prefix}/{image.path}:{tag}": image for image in images}
    missing = [name for name in references if not oci.present(name)]
    if missing:
        foreign.ensure(settings, foreign.PYTHON)
    for name in missing:
        _build(settings, name, references[name])
    return list(references)


def _build(settings: Settings, reference: str, image: Ours) -> None:
    log = settings.run / "logs" / f"image-{image.path.replace('/', '-')}.log"
    log.unlink(missing_ok=True)
    with progress.step(f"build {reference}", "15 s; the first 40 s"):
        words = ("docker", "build", "--tag", reference, "--file", str(image.dockerfile))
        command.run(*words, REPOSITORY, log=log)
