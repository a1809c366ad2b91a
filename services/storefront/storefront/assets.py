"""The files a browser loads: read once, served with a strong ETag."""

import hashlib
import mimetypes
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable

_KEEP = "public, max-age=86400"
# Pages, scripts and styles belong together, so they are asked for again after every release.
_ASK = "no-cache"
_TYPES = {".js": "text/javascript", ".woff2": "font/woff2", ".svg": "image/svg+xml"}


@dataclass(frozen=True, slots=True)
class Asset:
    """One file and how a browser may keep it."""

    content: bytes
    media_type: str
    etag: str
    cache_control: str


def load() -> Mapping[str, Asset]:
    """By path below /static, such as `css/base.css`."""
    return dict(_walk(files("storefront") / "static", ""))


def _walk(folder: Traversable, prefix: str) -> Iterator[tuple[str, Asset]]:
    for entry in folder.iterdir():
        path = f"{prefix}{entry.name}"
        if entry.is_dir():
            yield from _walk(entry, f"{path}/")
        else:
            yield path, _asset(path, entry.read_bytes())


def _asset(path: str, content: bytes) -> Asset:
    etag = f'"{hashlib.sha256(content).hexdigest()[:20]}"'
    keep = path.startswith(("fonts/", "products/"))
    return Asset(content, _media_type(path), etag, _KEEP if keep else _ASK)


def _media_type(path: str) -> str:
    suffix = path[path.rfind(".") :]
    known = _TYPES.get(suffix) or mimetypes.guess_type(path)[0] or "application/octet-stream"
    return f"{known}; charset=utf-8" if known.startswith("text/") else known
