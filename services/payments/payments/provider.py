"""The payment provider over Stripe's wire: one adapter for the simulated bank and the real one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

import httpx

from payments.domain import Intent, IntentState

Json = dict[str, Any]


class Unresolved(Exception):
    """The outcome is unknown or not reached yet: never a failure, always tried again."""


class Refused(Exception):
    """The provider understood the request and will not do it; nothing moved."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True)
class ProviderRefund:
    """`status` in the provider's words: pending, succeeded, failed, canceled."""

    id: str
    status: str
    refund_id: str | None


class Provider(Protocol):
    """Each call ends within the provider deadline, with an answer, Refused or Unresolved."""

    async def create(
        self, payment_id: UUID, order_id: UUID, amount: int, currency: str, token: str
    ) -> Intent: ...

    async def confirm(self, intent_id: str, payment_id: UUID) -> Intent: ...

    async def look(self, intent_id: str) -> Intent: ...

    async def cancel(self, intent_id: str) -> Intent: ...

    async def refund(self, intent_id: str, refund_id: UUID, amount: int) -> ProviderRefund: ...

    async def refunds(self, intent_id: str) -> Sequence[ProviderRefund]: ...
