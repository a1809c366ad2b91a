"""The rules of sign-in: pure, no clock, no I/O."""

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto

CUSTOMER = ("customer",)
FIRST_ADMIN = ("customer", "admin", "ops")

MAX_FAILURES = 5
FAILURE_WINDOW = timedelta(minutes=15)
# Two tabs, or a client that lost the answer, use the old token again within moments.
REUSE_GRACE = timedelta(seconds=10)

MAX_EMAIL = 254
# \x85 and \ufeff: a space to Python or to ECMAScript, so in no address of either.
_SPACE = r"\s\x00-\x1f\x85\ufeff"
EMAIL_PATTERN = rf"^[^@{_SPACE}]{{1,64}}@[^@{_SPACE}]+\.[^@.{_SPACE}]+$"
_EMAIL = re.compile(EMAIL_PATTERN)


def normal_email(text: str) -> str:
    """One spelling per mailbox; raises ValueError for what cannot be one."""
    email = text.strip().lower()
    if len(email) > MAX_EMAIL or not _EMAIL.fullmatch(email):
        raise ValueError("is not an email address")
    return email


def fingerprint(secret: str) -> str:
    """SHA-256 in hex: enough for 256 random bits, and for counting failures without addresses."""
    return hashlib.sha256(secret.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Failures:
    """Wrong passwords of one account since the window opened."""

    count: int
    since: datetime


def locked_until(failures: Failures | None, now: datetime) -> datetime | None:
    """When the account may try again; None = now."""
    if failures is None or failures.count < MAX_FAILURES:
        return None
    until = failures.since + FAILURE_WINDOW
    return until if until > now else None


def one_more(failures: Failures | None, now: datetime) -> Failures:
    if failures is None or failures.since + FAILURE_WINDOW <= now:
        return Failures(1, now)
    return Failures(failures.count + 1, failures.since)


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """A refresh token as stored, with what is known of its session (the token family)."""

    expires_at: datetime
    rotated_at: datetime | None
    session_revoked: bool


class Refresh(Enum):
    """What to do with a presented refresh token."""

    ROTATE = auto()
    REFUSE = auto()
    # Somebody has a copy: nobody may go on with this session.
    REVOKE_SESSION = auto()


def decide_refresh(token: RefreshToken | None, now: datetime) -> Refresh:
    if token is None or token.session_revoked or token.expires_at <= now:
        return Refresh.REFUSE
    if token.rotated_at is None or now - token.rotated_at <= REUSE_GRACE:
        return Refresh.ROTATE
    return Refresh.REVOKE_SESSION
