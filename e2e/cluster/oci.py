"""The few things asked of the engine about images."""

from __future__ import annotations

import contextlib
import json
import subprocess
import tarfile
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from e2e.cluster import command
from e2e.cluster.progress import progress

INPUTS = "microservice.dev/inputs"  # label: hash of what an image of ours was built from
REGISTRY_ANSWERS_WITHIN = 15.0  # seconds until a pull says its first word
PULLED_WITHIN = 900.0  # seconds
ANSWERS = ("not found", "manifest unknown", "denied", "unauthorized", "toomanyrequests")

_silent_registries: set[str] = set()


@dataclass(frozen=True)
class Present:
    identity: str
    inputs: str  # "" where somebody else made the image


def present(reference: str) -> Present | None:
    text = command.answer(
        "docker", "image", "inspect", reference, "--format", "{{.Id}} {{json .Config.Labels}}"
    )
    if not text:
        return None
    identity, labels = text.split(" ", 1)
    return Present(identity, (json.loads(labels) or {}).get(INPUTS, ""))


def registry(reference: str) -> str:
    """The registry's name; Docker Hub where the reference names none."""
    first, slash, _ = reference.partition("/")
    named = slash and ("." in first or ":" in first or first == "localhost")
    return first if named else "docker.io"


def pull(reference: str) -> bool:
    """False where that was not possible; a registry that gave no answer is not asked again."""
    name = registry(reference)
    if name in _silent_registries:
        return False
    with progress.step(f"pull {reference}", "10 s to 1 min"):
        problem = _pull(reference)
    if not problem:
        return True
    if not any(word in problem.lower() for word in ANSWERS):
        _silent_registries.add(name)
    progress.say(f"{reference} cannot be pulled: {problem.rpartition(': ')[2]}")
    return False


def _pull(reference: str) -> str:
    process = subprocess.Popen(
        ["docker", "pull", reference],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    heard = threading.Event()
    lines: list[str] = []
    reader = threading.Thread(target=_listen, args=(process, lines, heard), daemon=True)
    reader.start()
    try:
        if not heard.wait(REGISTRY_ANSWERS_WITHIN):
            return f"no answer within {REGISTRY_ANSWERS_WITHIN:.0f} s"
        status = process.wait(PULLED_WITHIN)
    except subprocess.TimeoutExpired:
        return f"not done within {PULLED_WITHIN / 60:.0f} min"
    finally:
        if process.poll() is None:
            command.end(process)
        reader.join(5)
        if process.stdout:
            process.stdout.close()
    return "" if status == 0 else (lines or ["no reason given"])[-1].strip()


def _listen(process: subprocess.Popen[bytes], lines: list[str], heard: threading.Event) -> None:
    for line in process.stdout or ():
        lines.append(line.decode(errors="replace"))
        heard.set()
    heard.set()


def import_root(root: Path, reference: str, changes: Sequence[str]) -> None:
    """An image of one layer from a tar file; `changes` are Dockerfile lines."""
    options = [word for change in changes for word in ("--change", change)]
    command.run("docker", "import", *options, root, reference)


def import_files(files: Mapping[str, Path], reference: str, changes: Sequence[str]) -> None:
    """An image that holds nothing but these executables (path in the image -> file here)."""
    with tempfile.NamedTemporaryFile(suffix=".tar") as target:
        with tarfile.open(fileobj=target, mode="w") as archive:
            for path, file in files.items():
                _add(archive, path.lstrip("/"), file)
        target.flush()
        import_root(Path(target.name), reference, changes)


def _add(archive: tarfile.TarFile, path: str, file: Path) -> None:
    entry = tarfile.TarInfo(path)
    entry.size = file.stat().st_size
    entry.mode = 0o755
    with file.open("rb") as content:
        archive.addfile(entry, content)


@contextlib.contextmanager
def container(image: str, *options: str) -> Iterator[str]:
    """A running container that is gone afterwards, whatever happens."""
    name = command.run("docker", "run", "-d", *options, image).split()[-1]
    try:
        yield name
    finally:
        command.answer("docker", "rm", "-f", "-v", name)
