"""Command: one verb of the command line."""

import argparse
from collections.abc import Callable
from dataclasses import dataclass

from msvc.exits import Exit


@dataclass(frozen=True, slots=True)
class Command:
    name: str
    summary: str  # one line for the list of commands
    about: str  # what it does, needs and answers
    example: str
    arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], Exit]
