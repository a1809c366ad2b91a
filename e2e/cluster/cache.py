"""Built things, kept in folders named after the hash of what went in."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from e2e.cluster.progress import progress
from e2e.cluster.settings import Settings

KEPT = 2  # versions of one thing, the newest first


def digest(inputs: Iterable[str | Path]) -> str:
    """12 hex digits over texts and over the names, modes and contents of files and folders."""
    total = hashlib.sha256()
    for part in inputs:
        for chunk in _files(part) if isinstance(part, Path) else [part.encode()]:
            total.update(len(chunk).to_bytes(8, "big") + chunk)
    return total.hexdigest()[:12]


def _files(path: Path) -> Iterator[bytes]:
    found = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
    for file in found:
        if "__pycache__" not in file.parts:
            name = file.relative_to(path).as_posix() if file != path else file.name
            yield f"{name} {os.access(file, os.X_OK)}".encode()
            yield file.read_bytes()


def kept(
    settings: Settings, name: str, inputs: Iterable[str | Path], make: Callable[[Path], None]
) -> Path:
    """The folder `<cache>/<name>-<hash>`; a killed `make` leaves a neighbour nobody reads."""
    folder = settings.cache / f"{name}-{digest(inputs)}"
    if folder.exists():
        return folder
    with locked(folder.with_name(f".{Path(name).name}.lock")):
        if not folder.exists():
            _make(folder, make)
            _forget_older(folder)
    return folder


def _make(folder: Path, make: Callable[[Path], None]) -> None:
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    make(partial)
    partial.rename(folder)


def _forget_older(folder: Path) -> None:
    stem = folder.name.rsplit("-", 1)[0]
    versions = [path for path in folder.parent.glob(f"{stem}-*") if _is_version(path, stem)]
    for path in sorted(versions, key=lambda path: -path.stat().st_mtime)[KEPT:]:
        shutil.rmtree(path, ignore_errors=True)


def _is_version(path: Path, stem: str) -> bool:
    return path.name.rsplit("-", 1)[0] == stem


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """One process at a time, also across checkouts; a killed holder lets go by itself."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress.say("another run is at work on the same thing; waiting for it")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
