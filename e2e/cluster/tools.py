"""kind, kubectl and helm: the host's where its version will do, else built into the cache."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from e2e.cluster import command, golang, programs
from e2e.cluster.golang import Program
from e2e.cluster.settings import Settings

Version = tuple[int, int]


@dataclass(frozen=True)
class Tool:
    """`asks` makes it print its version; first and last minor version that will do."""

    name: str
    asks: tuple[str, ...]
    first: Version
    last: Version
    program: Program = field(hash=False)


KIND = Tool("kind", ("version",), (0, 31), (0, 99), programs.KIND)
# kubectl is supported within one minor version of the server.
KUBECTL = Tool("kubectl", ("version", "--client"), (1, 34), (1, 36), programs.KUBECTL)
HELM = Tool("helm", ("version", "--short"), (3, 17), (4, 99), programs.HELM)


@lru_cache
def path(settings: Settings, tool: Tool) -> Path:
    host = shutil.which(tool.name)
    if host and will_do(tool, command.answer(host, *tool.asks)):
        return Path(host)
    return golang.build(settings, tool.program) / tool.name


def will_do(tool: Tool, printed: str) -> bool:
    found = re.search(r"v(\d+)\.(\d+)\.\d+", printed)
    return found is not None and tool.first <= (int(found[1]), int(found[2])) <= tool.last
