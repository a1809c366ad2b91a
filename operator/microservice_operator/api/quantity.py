"""Quantities in the form the API server stores, so that what we apply is what we read back.

The rules are those of apimachinery's resource.Quantity: no fraction, the largest suffix that
keeps the number whole, binary suffixes from 1024 up, otherwise decimal ones.
"""

from fractions import Fraction
from math import ceil

BINARY: dict[str, int] = {"Ki": 1024, "Mi": 1024**2, "Gi": 1024**3, "Ti": 1024**4, "Pi": 1024**5}
DECIMAL: dict[str, Fraction] = {
    "m": Fraction(1, 1000),
    "": Fraction(1),
    "k": Fraction(10**3),
    "M": Fraction(10**6),
    "G": Fraction(10**9),
    "T": Fraction(10**12),
    "P": Fraction(10**15),
}
PATTERN = r"^([0-9]{1,15}m|[0-9]{1,12}([.][0-9]{1,3})?(k|M|G|T|P|Ki|Mi|Gi|Ti|Pi)?)$"
LARGEST = 2**63 - 1


def canonical(text: str) -> str:
    """Raises ValueError for a number too large for Kubernetes."""
    value, binary = _parse(text)
    if value > LARGEST:
        raise ValueError("the quantity is larger than Kubernetes can hold")
    return _binary(ceil(value)) if binary and value >= 1024 else _decimal(value)


def amount(text: str) -> Fraction:
    return _parse(text)[0]


def _parse(text: str) -> tuple[Fraction, bool]:
    digits = text.rstrip("KkmMGTPi")
    suffix = text[len(digits) :]
    binary = suffix in BINARY
    factor = Fraction(BINARY[suffix]) if binary else DECIMAL[suffix]
    return Fraction(digits) * factor, binary


def _binary(value: int) -> str:
    for suffix, factor in reversed(BINARY.items()):
        if value % factor == 0:
            return f"{value // factor}{suffix}"
    return str(value)


def _decimal(value: Fraction) -> str:
    milli = ceil(value * 1000)
    if milli == 0:
        return "0"
    for suffix, factor in reversed(DECIMAL.items()):
        step = int(factor * 1000)
        if milli % step == 0:
            return f"{milli // step}{suffix}"
    raise AssertionError("unreachable: every number is a multiple of 1m")
