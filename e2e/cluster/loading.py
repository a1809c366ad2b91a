"""Images carried from the engine to the nodes of a cluster."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from e2e.cluster import command, oci, tools
from e2e.cluster.cluster import Cluster
from e2e.cluster.errors import Problem
from e2e.cluster.progress import progress

LOADED = "/var/lib/loaded-images"  # on each node: a line "reference identity" for each image


def load(cluster: Cluster, references: Sequence[str]) -> None:
    """Only those that some node does not hold in the same form."""
    wanted = {reference: _identity(reference) for reference in references}
    missing = [name for name, line in wanted.items() if not _everywhere(cluster, line)]
    if not missing:
        return
    kind = tools.path(cluster.settings, tools.KIND)
    what = missing[0] if len(missing) == 1 else f"{len(missing)} images"
    with progress.step(f"load {what} into {cluster.kind_name}", "5 s"):
        words = ("load", "docker-image", "--name", cluster.kind_name)
        command.run(kind, *words, *missing, log=cluster.log)
    lines = "\n".join(wanted[name] for name in missing)
    for node in cluster.nodes():
        command.run("docker", "exec", node, "sh", "-c", f"echo {shlex.quote(lines)} >>{LOADED}")


def _identity(reference: str) -> str:
    if (found := oci.present(reference)) is None:
        raise Problem(
            f"the Docker engine holds no image {reference}", remedy="build it or pull it first"
        )
    return f"{reference} {found.identity}"


def _everywhere(cluster: Cluster, line: str) -> bool:
    """The last line about a reference counts: a tag may have moved there and back."""
    reference = line.split()[0]
    for node in cluster.nodes():
        known = command.answer("docker", "exec", node, "cat", LOADED).splitlines()
        about = [entry for entry in known if entry.split()[0] == reference]
        if about[-1:] != [line]:
            return False
    return True
