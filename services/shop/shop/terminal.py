"""Colours, on a terminal only."""

import sys


def _coloured(code: int, text: str) -> str:
    return f"\033[{code}m{text}\033[0m" if sys.stdout.isatty() else text


def bold(text: str) -> str:
    return _coloured(1, text)


def green(text: str) -> str:
    return _coloured(32, text)


def red(text: str) -> str:
    return _coloured(31, text)
