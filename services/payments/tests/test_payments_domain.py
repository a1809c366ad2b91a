from dataclasses import replace
from uuid import uuid4

import pytest

from payments.domain import (
    Cause,
    Intent,
    IntentState,
    Outcome,
    Payment,
    Refund,
    RefundStatus,
    Reply,
    Status,
    Step,
    cancelled,
    charge_entry,
    charge_reply,
    compensation,
    next_step,
    outcome,
    payment_id,
    refund_entry,
    refundable,
)

ORDER = "00000000-0000-0000-0000-000000000001"
PAYMENT = Payment(payment_id(ORDER), ORDER, Status.STARTED, 500, "EUR")
CHARGED = replace(PAYMENT, status=Status.CHARGED, intent_id="pi_1")


def given_back(amount: int, status: RefundStatus, cause: Cause = Cause.MERCHANT) -> Refund:
    return Refund(str(uuid4()), PAYMENT.id, cause, amount, status)


@pytest.mark.parametrize(
    ("status", "fresh", "cancel", "expected"),
    [
        (Status.STARTED, False, False, Step.CREATE),
        (Status.STARTED, False, True, Step.VOID),
        (Status.CREATED, True, False, Step.CONFIRM),
        (Status.CREATED, False, False, Step.LOOK),
        (Status.CREATED, False, True, Step.CANCEL),
        (Status.CREATED, True, True, Step.CANCEL),
        (Status.ACTION, True, False, Step.LOOK),
        (Status.ACTION, True, True, Step.CANCEL),
        (Status.CHARGED, True, True, None),
        (Status.DECLINED, True, True, None),
        (Status.VOID, False, True, None),
    ],
)
def test_the_row_says_what_to_ask_the_bank(
    status: Status, fresh: bool, cancel: bool, expected: Step | None
) -> None:
    payment = replace(PAYMENT, status=status, cancel_requested=cancel)
    assert next_step(payment, fresh=fresh) is expected


@pytest.mark.parametrize(
    ("state", "cancel", "expected"),
    [
        (IntentState.SUCCEEDED, False, Outcome(Status.CHARGED)),
        (IntentState.SUCCEEDED, True, Outcome(Status.CHARGED)),
        (IntentState.CANCELED, True, Outcome(Status.VOID)),
        (IntentState.CANCELED, False, Outcome(Status.DECLINED, reason="canceled_at_bank")),
        (IntentState.DECLINED, False, Outcome(Status.DECLINED, reason="declined")),
        (IntentState.ACTION, False, Outcome(Status.ACTION)),
        (IntentState.UNCONFIRMED, False, None),
        (IntentState.PROCESSING, False, None),
    ],
)
def test_a_payment_closes_only_on_what_the_bank_decided(
    state: IntentState, cancel: bool, expected: Outcome | None
) -> None:
    assert outcome(replace(PAYMENT, cancel_requested=cancel), Intent("pi_1", state)) == expected


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (Status.STARTED, None),
        (Status.CREATED, None),
        (Status.ACTION, Reply.ACTION_REQUIRED),
        (Status.CHARGED, Reply.CHARGED),
        (Status.DECLINED, Reply.DECLINED),
        (Status.VOID, Reply.DECLINED),
    ],
)
def test_a_charge_is_answered_by_what_the_row_says(status: Status, expected: Reply | None) -> None:
    assert charge_reply(replace(PAYMENT, status=status)) is expected


def test_a_compensation_is_charged_minus_refunds_not_failed() -> None:
    wanted = replace(CHARGED, cancel_requested=True)
    earlier = [given_back(200, RefundStatus.SUCCEEDED), given_back(50, RefundStatus.FAILED)]
    decided = compensation(wanted, earlier)
    assert decided is not None
    assert (decided.amount, decided.cause) == (300, Cause.COMPENSATION)


def test_after_a_failed_compensation_the_rest_is_decided_again_under_a_new_key() -> None:
    wanted = replace(CHARGED, cancel_requested=True)
    first = compensation(wanted, [])
    assert first is not None
    assert compensation(wanted, [first]) is None
    second = compensation(wanted, [replace(first, status=RefundStatus.FAILED)])
    assert second is not None
    assert (second.amount, second.id != first.id) == (500, True)


def test_nobody_asked_so_nothing_is_compensated() -> None:
    assert compensation(CHARGED, []) is None


@pytest.mark.parametrize(
    ("status", "refunds", "expected"),
    [
        (Status.VOID, [], True),
        (Status.DECLINED, [], True),
        (Status.STARTED, [], False),
        (Status.CHARGED, [], False),
        (Status.CHARGED, [given_back(500, RefundStatus.PENDING)], False),
        (Status.CHARGED, [given_back(500, RefundStatus.FAILED)], False),
        (Status.CHARGED, [given_back(500, RefundStatus.SUCCEEDED)], True),
    ],
)
def test_a_charge_is_cancelled_when_no_money_is_kept(
    status: Status, refunds: list[Refund], expected: bool
) -> None:
    assert cancelled(replace(PAYMENT, status=status), refunds) is expected


def test_what_is_not_charged_is_not_refundable() -> None:
    assert refundable(PAYMENT, []) == 0
    assert refundable(CHARGED, [given_back(1, RefundStatus.PENDING)]) == 499


def test_every_ledger_entry_sums_to_zero() -> None:
    assert sum(line.amount for line in charge_entry(7)) == 0
    assert sum(line.amount for line in refund_entry(7)) == 0
