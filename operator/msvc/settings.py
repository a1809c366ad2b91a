"""What the environment says: its one home."""

import os
from typing import TextIO


def colours(stream: TextIO) -> bool:
    """On a terminal that can, unless NO_COLOR is set (https://no-color.org)."""
    able = stream.isatty() and os.environ.get("TERM") != "dumb"
    return able and not os.environ.get("NO_COLOR")
