"""Our own images: ordinary `docker build`, tagged after the hash of what goes in."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from e2e.cluster import cache, command, oci
from e2e.cluster import images as foreign
from e2e.cluster.errors import Problem
from e2e.cluster.progress import progress
from e2e.cluster.settings import REPOSITORY, Settings

SERVICES = ("auth", "catalog", "orders", "payments", "bank", "storefront")
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
        return [self.dockerfile, *copied(self.dockerfile.read_text())]


OPERATOR = Ours("operator", REPOSITORY / "Dockerfile")
SHOP = tuple(
    Ours(f"shop/{name}", REPOSITORY / "services" / name / "Dockerfile") for name in SERVICES
)


def copied(dockerfile: str) -> list[Path]:
    """Sources of COPY lines; those from another stage are none of ours."""
    joined = re.sub(r"\\\n\s*", " ", dockerfile)
    sources: set[Path] = set()
    for line in COPY.findall(joined):
        words = line.split()
        if any(word.startswith("--from=") for word in words):
            continue
        names = [word for word in words if not word.startswith("--")][:-1]
        sources |= {path for name in names for path in REPOSITORY.glob(name.strip("/"))}
    return sorted(sources)


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
