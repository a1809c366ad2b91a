"""A row of the table of images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from e2e.cluster import cache
from e2e.cluster.settings import Settings

Inputs = Sequence[str | Path]
# Puts an image of that reference into the engine, with these Dockerfile lines added.
Make = Callable[[Settings, str, Sequence[str]], None]


@dataclass(frozen=True)
class Image:
    """`pulled` is its usual reference; a local build bears the same unless `own_name` is set."""

    name: str
    pulled: str
    inputs: Inputs
    make: Make
    usual: str
    own_name: str = ""

    @property
    def built(self) -> str:
        return self.own_name or self.pulled

    @property
    def all_inputs(self) -> Inputs:
        return [self.name, self.built, *self.inputs]

    @property
    def digest(self) -> str:
        return cache.digest(self.all_inputs)
