"""Colours for people: on a terminal only."""

from dataclasses import dataclass
from typing import TextIO

from msvc.settings import colours


@dataclass(frozen=True, slots=True)
class Paint:
    on: bool

    @classmethod
    def of(cls, stream: TextIO) -> "Paint":
        return cls(colours(stream))

    def bold(self, text: str) -> str:
        return self._coloured(1, text)

    def red(self, text: str) -> str:
        return self._coloured(31, text)

    def green(self, text: str) -> str:
        return self._coloured(32, text)

    def yellow(self, text: str) -> str:
        return self._coloured(33, text)

    def grey(self, text: str) -> str:
        return self._coloured(90, text)

    def _coloured(self, code: int, text: str) -> str:
        return f"\033[{code}m{text}\033[0m" if self.on and text else text
