"""`shop crashpoints`: where a process may die on an order's way; the kit passes each by itself.

tests/shop/test_crash_points.py dies at every one of them, and fails when this list is not complete.
"""

from collections.abc import Iterator, Mapping, Set

# service -> effect -> steps. A commit or ack is named after its message or request, a publish after
# its message, a call after what is asked of the other side.
STEPS: Mapping[str, Mapping[str, str]] = {
    "auth": {
        "commit": "ask_to_erase user_erased saga_lease saga_tick relay_take relay_sent",
        "publish": "erase_user",
        "ack": "user_erased",
    },
    "catalog": {
        "commit": "reserve_stock release_stock commit_stock relay_take relay_sent",
        "publish": "stock_reserved stock_rejected stock_released stock_committed",
        "ack": "reserve_stock release_stock commit_stock",
    },
    "orders": {
        "commit": "place_order cancel_order saga_lease saga_tick relay_take relay_sent"
        " stock_reserved stock_rejected stock_released stock_committed"
        " charged declined action_required charge_cancelled erase_user",
        "publish": "reserve_stock release_stock commit_stock charge_payment cancel_charge"
        " user_erased",
        "ack": "erase_user stock_reserved stock_rejected stock_released stock_committed"
        " charged declined action_required charge_cancelled",
    },
    "payments": {
        "commit": "charge_payment cancel_charge payment_lease payment_created payment_settled"
        " payment_postponed refund_payment refund_settled webhook relay_take relay_sent"
        " erase_user",
        "publish": "charged declined action_required charge_cancelled user_erased",
        "ack": "charge_payment cancel_charge erase_user",
        "call": "create_intent confirm_intent look_at_intent cancel_intent create_refund"
        " list_refunds",
    },
    "bank": {
        "commit": "create_intent confirm_intent cancel_intent create_refund authenticate"
        " webhooks_sent relay_take",
        "call": "webhook",
    },
}

# Commits that no order waits for: one transaction each, and nothing follows from it elsewhere.
BESIDE: Mapping[str, Set[str]] = {
    "auth": {
        "register",
        "log_in",
        "log_out",
        "log_out_everywhere",
        "refresh",
        "rename",
        "change_password",
        "count_login",
        "first_admin",
        "sweep",
    },
    "catalog": {"add_product", "change_product", "adjust_stock"},
    "orders": {"change_cart"},
    "payments": {"add_payment_method", "delete_payment_method", "read_ledger", "list_intents"},
    "bank": {"forget_keys"},
    "storefront": {"admin"},
}
# Of every service: at its start, now and then, or for a message that cannot be handled.
KIT_BESIDE = frozenset({"migrate", "clean", "dead_letter"})


def names() -> Iterator[str]:
    """`<service>.<step>.<before|after>_<commit|publish|ack|call>`."""
    for service, effects in STEPS.items():
        for effect, steps in effects.items():
            for step in steps.split():
                yield f"{service}.{step}.before_{effect}"
                yield f"{service}.{step}.after_{effect}"


def is_beside(name: str) -> bool:
    service, step, _ = name.split(".")
    return step in KIT_BESIDE or step in BESIDE.get(service, ())
