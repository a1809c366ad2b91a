"""I10: card numbers, passwords and tokens in files: logs, dumps and databases, byte by byte."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from shop.customer import ShopError
from shop.installation import FILE
from shopkit.audit import Violation

_CHUNK, _OVERLAP = 1 << 20, 4096
_CARD = re.compile(rb"(?<![\w.\-])(?:[3-6]\d{3})(?:[ -]?\d){9,15}(?![\w.\-])")
_TOKEN = re.compile(rb"eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{20,}")
_PRIVATE_KEY = re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----")
# Made to be kept: the installation's own keys, beside its databases.
_KEYS = {FILE}


def scan(folders: Sequence[Path], canaries: Sequence[str]) -> Iterator[Violation]:
    """`canaries` are secrets that were typed in on purpose and must be found nowhere."""
    secrets = [text.encode() for text in canaries if text]
    for path in _files(folders):
        for what in sorted(_found(path, secrets)):
            yield Violation(invariant="I10", subject=str(path), detail=f"contains {what}")


def _files(folders: Sequence[Path]) -> Iterator[Path]:
    for folder in folders:
        if not folder.exists():
            raise ShopError(f"{folder} does not exist; --scan takes a folder or a file")
        inside = sorted(folder.rglob("*")) if folder.is_dir() else [folder]
        yield from (path for path in inside if path.is_file() and path.name not in _KEYS)


def _found(path: Path, secrets: Sequence[bytes]) -> set[str]:
    """Chunks overlap, so that nothing hides on their border."""
    found: set[str] = set()
    tail = b""
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            text = tail + chunk
            found |= set(_secrets_in(text, secrets))
            tail = text[-_OVERLAP:]
    return found


def _secrets_in(text: bytes, secrets: Sequence[bytes]) -> Iterator[str]:
    if any(secret in text for secret in secrets):
        yield "a secret that was seeded"
    if _TOKEN.search(text):
        yield "a signed token"
    if _PRIVATE_KEY.search(text):
        yield "a private key"
    if any(_is_card(match[0]) for match in _CARD.finditer(text)):
        yield "a card number"


def _is_card(text: bytes) -> bool:
    """By its check digit (Luhn); other long numbers are not our business."""
    digits = [byte - 48 for byte in text if 48 <= byte <= 57]
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0
