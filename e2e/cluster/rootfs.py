"""Debian root file systems, made by mmdebstrap where no image can be pulled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from e2e.cluster import cache, command, packages
from e2e.cluster.progress import progress
from e2e.cluster.settings import Settings

BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")


@dataclass(frozen=True)
class Root:
    """`prepare` runs when only the essential packages are there, `finish` at the end; shell, with
    the new root as "$1"."""

    name: str
    suite: str
    packages: Sequence[str]
    usual: str
    prepare: Sequence[str] = ()
    finish: Sequence[str] = ()

    @property
    def inputs(self) -> list[str | Path]:
        return [repr(self), *([BUNDLE] if BUNDLE.exists() else [])]


def build(settings: Settings, root: Root) -> Path:
    """The tar file of the root."""

    def make(folder: Path) -> None:
        packages.ensure(settings, "mmdebstrap", why=f"the image {root.name} has to be built")
        log = settings.cache / "logs" / f"root-{root.name}.log"
        with progress.step(f"make a Debian root for {root.name}", root.usual):
            command.run(*_words(root, folder / "root.tar"), log=log)

    return cache.kept(settings, f"roots/{root.name}", root.inputs, make) / "root.tar"


def _words(root: Root, target: Path) -> list[str]:
    return [
        "mmdebstrap",
        "--variant=minbase",
        f"--include={','.join(root.packages)}",
        '--dpkgopt=path-exclude="/usr/share/doc/*"',
        '--dpkgopt=path-exclude="/usr/share/man/*"',
        '--dpkgopt=path-exclude="/usr/share/locale/*"',
        *(f"--essential-hook={line}" for line in root.prepare),
        *(f"--customize-hook={line}" for line in (*root.finish, *_trust())),
        root.suite,
        str(target),
    ]


def _trust() -> list[str]:
    """The certificates this machine trusts, as a proxy of the house may sign what we download."""
    return [f"copy-in {BUNDLE} {BUNDLE.parent}"] if BUNDLE.exists() else []
