from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auth.domain import (
    FAILURE_WINDOW,
    MAX_FAILURES,
    REUSE_GRACE,
    Failures,
    Refresh,
    RefreshToken,
    decide_refresh,
    locked_until,
    normal_email,
    one_more,
)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = NOW + timedelta(days=30)


@pytest.mark.parametrize(
    ("token", "decision"),
    [
        (None, Refresh.REFUSE),
        (RefreshToken(LATER, None, False), Refresh.ROTATE),
        (RefreshToken(NOW, None, False), Refresh.REFUSE),
        (RefreshToken(LATER, None, True), Refresh.REFUSE),
        (RefreshToken(LATER, NOW - REUSE_GRACE, False), Refresh.ROTATE),
        (
            RefreshToken(LATER, NOW - REUSE_GRACE - timedelta(seconds=1), False),
            Refresh.REVOKE_SESSION,
        ),
        (RefreshToken(LATER, NOW - timedelta(seconds=1), True), Refresh.REFUSE),
    ],
    ids=["unknown", "fresh", "expired", "revoked", "in the grace", "reused", "revoked in grace"],
)
def test_a_refresh_token_is_rotated_refused_or_ends_the_session(
    token: RefreshToken | None, decision: Refresh
) -> None:
    assert decide_refresh(token, NOW) is decision


def test_five_failures_lock_an_account_until_the_window_of_the_first_ends() -> None:
    failures: Failures | None = None
    for minute in range(MAX_FAILURES):
        assert locked_until(failures, NOW + timedelta(minutes=minute)) is None
        failures = one_more(failures, NOW + timedelta(minutes=minute))
    assert locked_until(failures, NOW + timedelta(minutes=5)) == NOW + FAILURE_WINDOW
    assert locked_until(failures, NOW + FAILURE_WINDOW) is None


def test_a_failure_after_the_window_starts_a_new_one() -> None:
    later = NOW + FAILURE_WINDOW
    assert one_more(Failures(4, NOW), later) == Failures(1, later)


@given(st.lists(st.integers(0, 40), max_size=30))
def test_no_window_of_15_minutes_ever_admits_more_than_five_guesses(minutes: list[int]) -> None:
    failures: Failures | None = None
    admitted: list[datetime] = []
    for at in (NOW + timedelta(minutes=m) for m in sorted(minutes)):
        if locked_until(failures, at) is None:
            admitted.append(at)
            failures = one_more(failures, at)
    opened = sorted({*admitted})
    # Fixed windows may touch: two of them hold at most twice as many.
    assert all(
        sum(start <= at < start + FAILURE_WINDOW for at in admitted) <= 2 * MAX_FAILURES
        for start in opened
    )


@pytest.mark.parametrize("text", ["Kim@Example.com", "  kim@example.com ", "KIM@EXAMPLE.COM"])
def test_one_mailbox_has_one_spelling(text: str) -> None:
    assert normal_email(text) == "kim@example.com"


@pytest.mark.parametrize(
    "text", ["", "kim", "kim@", "@example.com", "kim@localhost", "a b@example.com", "a@b@c.de"]
)
def test_what_cannot_be_an_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="email"):
        normal_email(text)
