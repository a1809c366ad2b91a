"""The bank's signature on a webhook: `t=<Unix seconds>,v1=<hex HMAC-SHA256 of "<t>.<body>">`."""

import hashlib
import hmac
import re

TOLERANCE = 300
HEADER = "Stripe-Signature"
_SECONDS = re.compile(r"[0-9]{1,12}")


def is_signed(body: bytes, header: str, *, secret: str, now: float) -> bool:
    """Within five minutes of `now`, against replay; any of several `v1` may match."""
    fields = [part.strip().partition("=") for part in header.split(",")]
    times = [value for name, _, value in fields if name == "t"]
    if len(times) != 1 or not _SECONDS.fullmatch(times[0]) or abs(now - int(times[0])) > TOLERANCE:
        return False
    signed = f"{times[0]}.".encode() + body
    expected = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    given = [value for name, _, value in fields if name == "v1"]
    return any(hmac.compare_digest(expected.encode(), value.encode()) for value in given)
