"""What the databases of an embedded shop hold, read beside the running process."""

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

Rows = list[tuple[Any, ...]]


def tables(folder: Path) -> Mapping[str, Rows]:
    """`<service>.<table>` -> its rows, whole."""
    found: dict[str, Rows] = {}
    for file in sorted(folder.glob("*.db")):
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=10)) as database:
            for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'"):
                rows = database.execute(f'SELECT * FROM "{name}"').fetchall()
                found[f"{file.stem}.{name}"] = sorted(rows, key=repr)
    return found
