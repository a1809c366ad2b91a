"""Accounts on which auth and orders disagree. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from shop.reconcile.disagreements import Disagreement
from storefront.join.facts import Order

NOBODY = "00000000-0000-0000-0000-000000000000"
_BETWEEN = ("auth", "orders")


@dataclass(frozen=True)
class Accounts:
    """`known`: user -> whether they are leaving; `erased`: whom orders has forgotten."""

    known: Mapping[str, bool]
    erased: frozenset[str]


def find(orders: Mapping[str, Order], accounts: Accounts) -> Iterator[Disagreement]:
    for order in orders.values():
        if order.user_id not in accounts.known and order.user_id != NOBODY:
            detail = f"it belongs to user {order.user_id}, whom auth does not know"
            yield Disagreement(
                order.order_id, _BETWEEN, detail, "give the customer the account back"
            )
    for user, leaving in accounts.known.items():
        if user in accounts.erased and not leaving:
            detail = f"user {user} was forgotten, and auth knows them again"
            yield Disagreement("", _BETWEEN, detail, "delete the account again")
