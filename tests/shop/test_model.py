"""The saga's protocol, explored completely: no violation, and a good end from every state."""

from __future__ import annotations

import pytest
from tests.shop.model import M, Rule
from tests.shop.model_space import Space

pytestmark = pytest.mark.xdist_group("model")


@pytest.fixture(scope="module")
def space() -> Space:
    return Space()


def test_no_interleaving_loss_or_crash_does_harm_and_every_order_can_end_well(
    space: Space,
) -> None:
    assert len(space) > 20_000
    assert (space.violations(), space.stuck()) == (set(), 0)


def test_losing_all_messages_at_once_leads_wherever_losing_any_does(space: Space) -> None:
    losing_any = Space(losing_any=True)
    assert len(losing_any) > 300_000
    assert losing_any.cores() == space.cores()


@pytest.mark.long
def test_every_order_can_end_well_whichever_messages_were_lost() -> None:
    assert Space(losing_any=True).stuck() == 0


@pytest.mark.parametrize("never", [M.ReserveStock, M.ChargePayment])
def test_an_order_ends_well_although_a_handler_never_succeeds(space: Space, never: M) -> None:
    assert space.stuck(never=never) == 0


@pytest.mark.parametrize("never", [M.ReleaseStock, M.CommitStock, M.CancelCharge])
def test_an_order_needs_its_compensations_and_its_pivot(space: Space, never: M) -> None:
    assert space.stuck(never=never) > 0


VIOLATES = {
    Rule.STOCK_TOMBSTONE: "ended without a sale, stock taken",
    Rule.REJECTION_ROW: "ended without a sale, stock taken",
    Rule.PAYMENT_TOMBSTONE: "ended without a sale, money kept",
    Rule.CREATE_THEN_CONFIRM: "charged twice",
    Rule.ZERO_ROWS: "charged twice",
    Rule.UNKNOWN_IS_OPEN: "ended without a sale, money kept",
    Rule.NO_EXPIRY: "paid without stock",
    Rule.LATE_CHARGED: "sold but compensated",
    Rule.RESOLVE_FIRST: "ended without a sale, money kept",
    Rule.WAIT_FOR_REFUND: "ended without a sale, money kept",
    Rule.CANCEL_AT_BANK: "ended without a sale, money kept",
    Rule.LIST_REFUNDS: "refunded twice",
}


@pytest.mark.parametrize(("rule", "wrong"), VIOLATES.items(), ids=str)
def test_without_the_rule_an_invariant_breaks(rule: str, wrong: str) -> None:
    assert wrong in Space(rule).violations()


@pytest.mark.parametrize(
    "rule", [Rule.RESEND, Rule.ANSWER_AGAIN, Rule.CANCEL_DECLINED, Rule.REST_ONLY]
)
def test_without_the_rule_an_order_is_stuck(rule: str) -> None:
    assert Space(rule).stuck() > 0
