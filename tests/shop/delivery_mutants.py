"""The delivery rules that one message shows better than a whole order, and the kit's own tests.

An order does not show them all: re-sends repair most of what a bad delivery breaks.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from services.kit.tests import test_delivery as delivery
from services.kit.tests import test_transport as transport

import shopkit.client
from shopkit import inbox, outbox
from shopkit.consumer import Consumer
from shopkit.db import DatabaseAway
from shopkit.messages import Message, decode
from shopkit.registry import Handlers, UnknownMessage
from shopkit.transport.nats import NatsSubscriber
from shopkit.waker import Waker

Patch = pytest.MonkeyPatch
Check = Callable[..., Awaitable[None]]


@dataclass(frozen=True)
class Mutant:
    """`check` fails without the rule. `slow`: it waits long for what does not come."""

    rule: str
    check: Check
    switch_off: Callable[[Patch], None]
    slow: bool = False

    def __str__(self) -> str:
        return self.switch_off.__name__


MUTANTS: list[Mutant] = []
Register = Callable[[Callable[[Patch], None]], Callable[[Patch], None]]


def mutant(rule: str, check: Check, *, slow: bool = False) -> Register:
    def register(switch_off: Callable[[Patch], None]) -> Callable[[Patch], None]:
        MUTANTS.append(Mutant(rule, check, switch_off, slow))
        return switch_off

    return register


async def _nothing(*_: object) -> None:
    return None


# --- b -------------------------------------------------------------------------------------------


@mutant("b", delivery.test_b_what_the_broker_did_not_store_stays_and_is_tried_again)
def a_row_is_deleted_before_it_is_published(patch: Patch) -> None:
    take = outbox.take

    async def gone(tx: Any, token: str, lease: float, limit: int) -> Any:
        messages = await take(tx, token, lease, limit)
        await outbox.sent(tx, token, [message.id for message in messages])
        return messages

    patch.setattr(outbox, "take", gone)


@mutant("b", delivery.test_b_two_relays_publish_each_message_once_and_delete_it)
def two_relays_take_the_same_rows(patch: Patch) -> None:
    take = outbox.take

    async def unleased(tx: Any, token: str, lease: float, limit: int) -> Any:
        return await take(tx, token, -lease, limit)

    patch.setattr(outbox, "take", unleased)


@mutant("b", delivery.test_b_a_leased_row_is_free_again_when_its_relay_died)
def a_lease_does_not_end(patch: Patch) -> None:
    take = outbox.take

    async def for_ever(tx: Any, token: str, _: float, limit: int) -> Any:
        return await take(tx, token, 86_400, limit)

    patch.setattr(outbox, "take", for_ever)


@mutant("b", delivery.test_b_a_commit_wakes_the_relay_before_its_poll, slow=True)
def nothing_wakes_the_relay(patch: Patch) -> None:
    patch.setattr(Waker, "wake", lambda _: None)


# --- c, d ----------------------------------------------------------------------------------------


@mutant("c", delivery.test_c_the_ack_comes_after_the_commit)
def the_ack_comes_first(patch: Patch) -> None:
    deliver = Consumer._deliver

    async def acked(self: Any, note: Any) -> None:
        await note.ack()
        await deliver(self, note)

    patch.setattr(Consumer, "_deliver", acked)


@mutant("d", delivery.test_d_a_duplicate_command_is_answered_again_from_the_row)
def the_first_answer_is_repeated(patch: Patch) -> None:
    answer, given = inbox._answer, {}

    async def remembered(tx: Any, handler: Any, command: Any) -> None:
        if command.id not in given:
            given[command.id] = await handler.answer(tx, command)
            return await answer(tx, handler, command)
        await outbox.reply(tx, command.address, given[command.id])

    patch.setattr(inbox, "_answer", remembered)


# --- e -------------------------------------------------------------------------------------------


@mutant("e", delivery.test_e_a_failing_handler_is_tried_three_times_in_process)
def a_handler_is_tried_once(patch: Patch) -> None:
    patch.setattr(Consumer, "_tries", Consumer._once)


@mutant("e", delivery.test_e_after_three_failures_it_is_a_dead_letter_and_acked)
def a_failed_message_is_forgotten(patch: Patch) -> None:
    patch.setattr(Consumer, "_bury", _nothing)


@mutant("e", delivery.test_e_a_dead_letter_goes_when_the_id_is_handled)
def a_dead_letter_stays(patch: Patch) -> None:
    patch.setattr(inbox, "_forget_failures", _nothing)


@mutant("e", delivery.test_e_a_message_that_kills_the_process_is_buried_unhandled)
def a_message_may_kill_for_ever(patch: Patch) -> None:
    patch.setattr(Consumer, "_refuse_poison", lambda *_: None)


@mutant("e", delivery.test_e_what_was_handled_is_not_buried_when_its_acks_were_lost)
def what_was_handled_is_buried(patch: Patch) -> None:
    patch.setattr(inbox, "_was_handled", _nothing)


@mutant(
    "e",
    transport.test_e_without_its_database_a_consumer_fetches_nothing_and_acks_nothing,
    slow=True,
)
def a_message_is_acked_while_the_database_is_away(patch: Patch) -> None:
    handle = Consumer._handle_or_bury

    async def lost(self: Any, note: Any) -> str:
        try:
            return await handle(self, note)
        except DatabaseAway:
            return "lost"

    patch.setattr(Consumer, "_handle_or_bury", lost)


# --- f, g ----------------------------------------------------------------------------------------


@mutant("f", delivery.test_f_an_unsent_message_has_one_row_however_often_it_is_sent)
def an_unsent_row_is_counted_up(patch: Patch) -> None:
    put, rows = outbox.put, outbox.outbox

    async def again(tx: Any, row: dict[str, Any]) -> None:
        await tx.execute(sa.delete(rows).where(rows.c.id == row["id"]))
        await put(tx, row)

    patch.setattr(outbox, "put", again)


@mutant("f", delivery.test_f_a_resend_has_the_same_id_and_a_new_deduplication_id)
def every_attempt_is_deduplicated(patch: Patch) -> None:
    patch.setattr(Message, "dedup_id", property(lambda self: self.id))


@mutant("g", delivery.test_g_unknown_fields_are_ignored)
def an_unknown_field_is_refused(patch: Patch) -> None:
    find = Handlers.find

    def strict(self: Any, message: Message) -> Any:
        handler, command = find(self, message)
        if set(decode(message.data)) - set(handler.body.model_fields):
            raise ValueError("unknown field")
        return handler, command

    patch.setattr(Handlers, "find", strict)


@mutant("g", delivery.test_g_an_unknown_type_or_version_is_a_failure_like_any_other)
def an_unknown_type_passes_silently(patch: Patch) -> None:
    once = Consumer._once

    async def silent(self: Any, message: Message) -> None:
        try:
            await once(self, message)
        except UnknownMessage:
            return

    patch.setattr(Consumer, "_once", silent)


# --- h, i ----------------------------------------------------------------------------------------


@mutant("h", transport.test_h_the_watchdog_rebuilds_a_subscription_that_went_deaf, slow=True)
def nobody_notices_a_deaf_subscription(patch: Patch) -> None:
    patch.setattr(NatsSubscriber, "_is_deaf", _nothing)


@mutant("i", delivery.test_i_a_call_inside_a_transaction_is_refused)
def a_handler_may_call(patch: Patch) -> None:
    async def answered(*_: object) -> httpx.Response:
        return httpx.Response(200)

    patch.setattr(shopkit.client, "open_transaction", lambda: "")
    patch.setattr(shopkit.client.Client, "_send", answered)
