"""Free ports on the loopback address, and who holds the others."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from e2e.cluster import command

LOOPBACK = "127.0.0.1"
LISTENING = "0A"  # state column of /proc/net/tcp


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def owner(port: int) -> str:
    """Container or program that listens there, as far as this user may see."""
    query = ("--filter", f"publish={port}", "--format", "{{.Names}}")
    if container := command.answer("docker", "ps", *query):
        return f"the container {container.splitlines()[0]}"
    for inode in _inodes(port):
        if found := _process(inode):
            return found
    return _by_lsof(port) or "a program of another user"


def _inodes(port: int) -> list[str]:
    rows: list[list[str]] = []
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        if Path(table).exists():
            rows += [line.split() for line in Path(table).read_text().splitlines()[1:]]
    end = f":{port:04X}"
    return [row[9] for row in rows if row[1].endswith(end) and row[3] == LISTENING]


def _process(inode: str) -> str:
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if os.readlink(link) != f"socket:[{inode}]":
                continue
            folder = link.parents[1]
            return f"{(folder / 'comm').read_text().strip()} (pid {folder.name})"
        except OSError:
            continue
    return ""


def _by_lsof(port: int) -> str:
    lines = command.answer("lsof", "-nP", f"-iTCP:{port}", "-sTCP:LISTEN").splitlines()[1:]
    words = lines[0].split() if lines else []
    return f"{words[0]} (pid {words[1]})" if len(words) > 1 else ""
