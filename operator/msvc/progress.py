"""How far something long has got: one live line on a terminal, else a line a change."""

import sys


class Progress:
    def __init__(self) -> None:
        self._live = sys.stderr.isatty()
        self._last = ""

    def say(self, text: str) -> None:
        if text == self._last:
            return
        self._last = text
        start, end = ("\r\033[K", "") if self._live else ("", "\n")
        print(start + text, end=end, file=sys.stderr, flush=True)

    def done(self) -> None:
        if self._live and self._last:
            print("\r\033[K", end="", file=sys.stderr, flush=True)
