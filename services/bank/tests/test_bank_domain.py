from dataclasses import replace

import pytest

from bank.domain import (
    Intent,
    IntentStatus,
    Refund,
    RefundStatus,
    Refusal,
    Token,
    authenticate,
    cancel,
    confirm,
    event_of,
    parse_token,
    refund,
)
from bank.wire import intent_json, metadata_of, parse_form, signature

INTENT = Intent("pi_1", 500, "eur", Token.OK, created=0)
PAID = replace(INTENT, status=IntentStatus.SUCCEEDED)
WAITING = replace(INTENT, payment_method=Token.REQUIRES_ACTION, status=IntentStatus.REQUIRES_ACTION)


def asked(amount: int, id: str = "re_1") -> Refund:
    return Refund(id, "pi_1", amount, "eur", created=0)


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        (Token.OK, IntentStatus.SUCCEEDED),
        (Token.SLOW, IntentStatus.SUCCEEDED),
        (Token.TIMEOUT_AFTER_CHARGE, IntentStatus.SUCCEEDED),
        (Token.ERROR_AFTER_CHARGE, IntentStatus.SUCCEEDED),
        (Token.REFUND_FAILS_ONCE, IntentStatus.SUCCEEDED),
        (Token.DECLINED, IntentStatus.REQUIRES_PAYMENT_METHOD),
        (Token.REQUIRES_ACTION, IntentStatus.REQUIRES_ACTION),
    ],
)
def test_a_confirm_ends_as_its_token_says(token: Token, expected: IntentStatus) -> None:
    assert confirm(replace(INTENT, payment_method=token)).status is expected


@pytest.mark.parametrize("status", sorted(set(IntentStatus) - {IntentStatus.REQUIRES_CONFIRMATION}))
def test_an_intent_is_confirmed_once(status: IntentStatus) -> None:
    with pytest.raises(Refusal, match=f"status of {status}") as caught:
        confirm(replace(INTENT, status=status))
    assert caught.value.intent is not None


def test_a_paid_intent_cannot_be_cancelled() -> None:
    with pytest.raises(Refusal, match="succeeded"):
        cancel(PAID)


def test_a_cancelled_intent_cannot_be_confirmed() -> None:
    with pytest.raises(Refusal, match="canceled"):
        confirm(cancel(INTENT))


def test_the_banks_page_approves_or_declines() -> None:
    assert authenticate(WAITING, approved=True).status is IntentStatus.SUCCEEDED
    refused = authenticate(WAITING, approved=False)
    assert refused.status is IntentStatus.REQUIRES_PAYMENT_METHOD
    assert refused.decline_code == "payment_intent_authentication_failure"


def test_refunds_never_exceed_the_charge() -> None:
    first = refund(PAID, [], asked(300))
    with pytest.raises(Refusal, match=r"from 1 to what is left \(200\)"):
        refund(PAID, [first], asked(201))
    second = refund(PAID, [first], asked(200))
    with pytest.raises(Refusal) as caught:
        refund(PAID, [first, second], asked(1))
    assert caught.value.code == "charge_already_refunded"


def test_a_refund_that_fails_once_succeeds_the_second_time() -> None:
    intent = replace(PAID, payment_method=Token.REFUND_FAILS_ONCE)
    first = refund(intent, [], asked(500))
    assert first.status is RefundStatus.FAILED
    assert refund(intent, [first], asked(500)).status is RefundStatus.SUCCEEDED


def test_an_unpaid_intent_has_nothing_to_refund() -> None:
    with pytest.raises(Refusal, match="refund"):
        refund(INTENT, [], asked(1))


def test_an_unknown_token_is_answered_with_the_known_ones() -> None:
    with pytest.raises(Refusal, match="tok_declined"):
        parse_token("tok_nothing")


def test_events_are_named_after_what_happened() -> None:
    assert event_of(PAID).type == "payment_intent.succeeded"
    assert event_of(replace(asked(1), status=RefundStatus.FAILED)).type == "refund.failed"


def test_a_form_carries_metadata() -> None:
    form = parse_form(b"amount=5&metadata%5Border_id%5D=7")
    assert form["amount"] == "5"
    assert metadata_of(form) == {"order_id": "7"}


def test_a_broken_form_is_refused() -> None:
    with pytest.raises(Refusal, match="twice"):
        parse_form(b"a=1&a=2")
    with pytest.raises(Refusal, match="valid form"):
        parse_form(b"{}")


def test_the_page_for_the_customer_is_on_the_public_address() -> None:
    shown = intent_json(WAITING, public_url="http://shop")
    assert shown["next_action"]["redirect_to_url"]["url"] == "http://shop/bank/3ds/pi_1"


def test_a_signature_depends_on_time_payload_and_secret() -> None:
    one = signature(b"{}", secret="s", timestamp=1)
    assert one.startswith("t=1,v1=")
    others = [(b"[]", "s", 1), (b"{}", "x", 1), (b"{}", "s", 2)]
    assert one not in [signature(p, secret=s, timestamp=t) for p, s, t in others]
