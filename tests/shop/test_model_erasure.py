"""The erasure's protocol, explored completely, and each of its rules missed when it is gone."""

from __future__ import annotations

import pytest
from tests.shop.model_erasure import Rule, reached, stuck, violations


def test_no_interleaving_loss_or_crash_does_harm_and_every_user_can_go() -> None:
    worlds = reached()
    assert len(worlds) > 400
    assert (violations(worlds), stuck(worlds)) == (set(), 0)


VIOLATES = {
    Rule.NO_NEW_ORDERS: "orders has forgotten a user with an open order",
    Rule.WAIT_FOR_ORDERS: "orders has forgotten a user with an open order",
    Rule.NO_NEW_METHODS: "a payment method outlives its user",
    Rule.WAIT_FOR_PAYMENTS: "payments has forgotten a user with an open payment",
    Rule.ORDERS_FIRST: "an order under way lost its payment method",
    Rule.ROW_LAST: "the user is gone, and a service still knows them",
    Rule.LOGIN_LOCKED: "somebody signed in to an account that is being deleted",
}


@pytest.mark.parametrize(("rule", "wrong"), VIOLATES.items(), ids=str)
def test_without_the_rule_somebody_is_harmed(rule: str, wrong: str) -> None:
    assert wrong in violations(reached(rule))


@pytest.mark.parametrize("rule", [Rule.RESEND, Rule.ANSWER_AGAIN])
def test_without_the_rule_a_user_can_never_go(rule: str) -> None:
    assert stuck(reached(rule)) > 0


def test_every_rule_is_tried() -> None:
    rules = {value for name, value in vars(Rule).items() if name.isupper()}
    assert rules == {*VIOLATES, Rule.RESEND, Rule.ANSWER_AGAIN}
