"""Where the load goes: one shop, and by default one on this machine."""

import ipaddress
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from shop.customer import ShopError

SERVICES = ("auth", "catalog", "orders", "payments", "storefront")
REMOTE = "--yes-really-remote"


def urls(url: str, pairs: Sequence[str], *, remote: bool) -> Mapping[str, str]:
    """Service -> where it is; `pairs` are SERVICE=URL. Raises ShopError with what to do."""
    found = dict.fromkeys(SERVICES, url.rstrip("/"))
    for pair in pairs:
        name, _, its = pair.partition("=")
        if name not in found or not its:
            known = ", ".join(SERVICES)
            raise ShopError(f"--service {pair}: write SERVICE=URL, SERVICE is one of {known}")
        found[name] = its.rstrip("/")
    for its in set(found.values()):
        _check(its, remote=remote)
    return found


def _check(url: str, *, remote: bool) -> None:
    if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
        raise ShopError(f"{url} is no address of a shop; it begins with http:// or https://")
    if not remote and not is_loopback(url):
        raise ShopError(
            f"{url} is not this machine. A load can take a shop down, and its orders stay: "
            f"add {REMOTE} if it is yours to load"
        )


def is_loopback(url: str) -> bool:
    """By what is written: a name that happens to lead here today does not count."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
