"""The customers of a load: signed up, signed in and with a card before the first arrival."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from shop.customer import ShopError
from shop.load.client import Client, Reply
from shop.load.failures import Failed
from shop.load.open_loop import Say

AT_ONCE = 4
PATIENCE = 180.0  # seconds; sign-ups from one address are limited by the minute
CARD = "tok_ok"


@dataclass(frozen=True, slots=True)
class Customer:
    email: str
    password: str
    token: str
    card: str


async def sign_up(client: Client, count: int, say: Say) -> Sequence[Customer]:
    """Raises ShopError."""
    say(f"signing up {count} customers")
    turns = asyncio.Semaphore(AT_ONCE)

    async def one() -> Customer:
        async with turns:
            return await _new(client, say)

    return await asyncio.gather(*(one() for _ in range(count)))


async def _new(client: Client, say: Say) -> Customer:
    email, password = f"load-{uuid.uuid4().hex[:16]}@shop.example", uuid.uuid4().hex
    who = {"email": email, "password": password}
    key = str(uuid.uuid4())
    named = {**who, "name": "Load"}
    await patiently(lambda: client.ask("auth", "POST", "/users", named, key=key), say)
    token = await sign_in(client, email, password, say)
    card = {"token": CARD, "label": "Load"}
    add = await patiently(
        lambda: client.ask("payments", "POST", "/payment-methods", card, token=token, key=key), say
    )
    return Customer(email, password, token, str(add.json()["id"]))


async def sign_in(client: Client, email: str, password: str, say: Say) -> str:
    who = {"email": email, "password": password}
    reply = await patiently(lambda: client.ask("auth", "POST", "/tokens", who), say)
    return str(reply.json()["access_token"])


async def patiently(ask: Callable[[], Awaitable[Reply]], say: Say) -> Reply:
    """Again, when the shop says when; raises ShopError for any other failure."""
    waited = 0.0
    while True:
        try:
            return await ask()
        except Failed as failed:
            if not failed.retry_after or waited + failed.retry_after > PATIENCE:
                raise ShopError(f"the load cannot be prepared: {failed.kind}") from failed
            waited += failed.retry_after
            say(f"{failed.kind}: again in {failed.retry_after:.0f} s")
            await asyncio.sleep(failed.retry_after)
