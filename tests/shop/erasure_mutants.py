"""Each rule of the erasure of a user switched off, and what has to notice."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from tests.shop import leaving, mutants
from tests.shop.model_erasure import Rule
from tests.shop.mutant import Mutants, Patch

import orders.erasure
import payments.erasure
from auth import accounts, erasure, sessions
from auth.erasure import State
from orders import cart_store

MUTANTS = Mutants()


@MUTANTS.without(Rule.RESEND, leaving.command_lost, shows="stuck in ORDERS")
def an_erasure_is_asked_for_once(patch: Patch) -> None:
    mutants.a_command_is_sent_once(patch)


@MUTANTS.without(Rule.ANSWER_AGAIN, leaving.answer_lost, shows="stuck in ORDERS")
def a_second_erase_user_is_not_answered(patch: Patch) -> None:
    mutants.a_duplicate_is_not_answered(patch)


# --- what is no longer taken ---------------------------------------------------------------------


@MUTANTS.without(Rule.LOGIN_LOCKED, leaving.signing_in, shows="signed in: 200")
def the_password_still_opens(patch: Patch) -> None:
    patch.setattr(accounts, "by_email", _unlocked(accounts.by_email))


@MUTANTS.without(Rule.LOGIN_LOCKED, leaving.staying_signed_in, shows="signed in: 200")
def a_session_goes_on(patch: Patch) -> None:
    """Both doors: the sessions end, and none is renewed for who is leaving."""

    async def nothing(*_: object) -> None: ...

    patch.setattr(sessions, "end_all", nothing)
    patch.setattr(accounts, "by_id", _unlocked(accounts.by_id))


def _unlocked(read: Any) -> Any:
    """Shows every account as one whose user stays."""

    async def row(tx: Any, key: str) -> Any:
        user = await read(tx, key)
        return user and SimpleNamespace(**{**user._mapping, "erasing_since": None})

    return row


@MUTANTS.without(Rule.NO_NEW_ORDERS, leaving.ordering_again, shows="taken: 202")
def orders_are_taken_from_who_leaves(patch: Patch) -> None:
    async def change(tx: Any, user_id: str, how: Any) -> Any:
        await cart_store.lock(tx, user_id)
        after = how(await cart_store.read(tx, user_id))
        await cart_store._write(tx, user_id, after)
        return after

    patch.setattr(cart_store, "change", change)


@MUTANTS.without(Rule.NO_NEW_METHODS, leaving.adding_a_card, shows="taken: 201")
def cards_are_taken_from_who_leaves(patch: Patch) -> None:
    async def anybody(*_: object) -> None: ...

    patch.setattr(payments.erasure, "refuse_leaving", anybody)


# --- what is waited for --------------------------------------------------------------------------


@MUTANTS.without(Rule.WAIT_FOR_ORDERS, leaving.an_open_order, shows="orders has forgotten")
def orders_waits_for_nothing(patch: Patch) -> None:
    async def none(*_: object) -> int:
        return 0

    patch.setattr(orders.erasure.order_store, "count_open", none)


@MUTANTS.without(Rule.WAIT_FOR_PAYMENTS, leaving.an_open_refund, shows="payments has forgotten")
def payments_waits_for_nothing(patch: Patch) -> None:
    async def closed(*_: object) -> bool:
        return False

    patch.setattr(payments.erasure, "_is_open", closed)


@MUTANTS.without(Rule.ORDERS_FIRST, leaving.a_young_order, shows="CANCELLED: .* lost its card")
def payments_is_asked_first(patch: Patch) -> None:
    """The saga begins where it would go on, and goes on where it would begin."""
    into = erasure.into
    swapped = {State.ORDERS: State.PAYMENTS, State.PAYMENTS: State.ORDERS}
    patch.setattr(erasure, "into", lambda to, user_id: into(swapped.get(to, to), user_id))
    patch.setattr(erasure, "NEXT", {State.PAYMENTS: State.PAYMENTS, State.ORDERS: State.ERASED})


@MUTANTS.without(Rule.ROW_LAST, leaving.everybody, shows="payments still knows them")
def the_account_goes_when_orders_has_answered(patch: Patch) -> None:
    patch.setattr(erasure, "NEXT", {State.ORDERS: State.ERASED, State.PAYMENTS: State.ERASED})
