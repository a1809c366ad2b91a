"""Identifiers and randomness, injectable."""

import base64
import random
import secrets
import uuid
from collections.abc import Callable
from typing import Protocol

from shopkit.clock import Clock


class Ids(Protocol):
    """The only source of identifiers and chance."""

    def uuid7(self) -> str:
        """Sorts by creation time (RFC 9562)."""

    def token(self, nbytes: int = 32) -> str:
        """URL-safe text of that many random bytes."""

    def random(self) -> float:
        """In [0, 1)."""


def uuid5(namespace: str, name: str) -> str:
    """The same two texts give the same id; `namespace` is a UUID."""
    return str(uuid.uuid5(uuid.UUID(namespace), name))


def uuid7_from(milliseconds: int, entropy: bytes) -> str:
    """RFC 9562 section 5.7: 48 bits of Unix time, then version, variant and 74 random bits."""
    value = (milliseconds & (1 << 48) - 1) << 80 | int.from_bytes(entropy[:10], "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return str(uuid.UUID(int=value))


class _Drawn:
    """Ids from a source of random bytes and a clock."""

    def __init__(self, clock: Clock, draw: Callable[[int], bytes]) -> None:
        self._clock, self._draw = clock, draw

    def uuid7(self) -> str:
        return uuid7_from(int(self._clock.now().timestamp() * 1000), self._draw(10))

    def token(self, nbytes: int = 32) -> str:
        return base64.urlsafe_b64encode(self._draw(nbytes)).rstrip(b"=").decode()

    def random(self) -> float:
        return int.from_bytes(self._draw(7), "big") / (1 << 56)


class SystemIds(_Drawn):
    """From the operating system's random source."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock, secrets.token_bytes)


class SeededIds(_Drawn):
    """The same seed replays the same ids: for tests only."""

    def __init__(self, seed: int, clock: Clock) -> None:
        super().__init__(clock, random.Random(seed).randbytes)
