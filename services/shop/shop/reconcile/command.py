"""What `shop reconcile` does for its arguments."""

import argparse
import asyncio
import json
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict
from typing import Any

from shop import admin, terminal
from shop.admin import Ports
from shop.audit import reading
from shop.reconcile import accounts, disagreements
from shop.reconcile.accounts import Accounts
from shop.reconcile.disagreements import Disagreement, Intent

AGREE, DISAGREE = 0, 3


def run(options: argparse.Namespace) -> None:
    found, consuming = asyncio.run(_run(options))
    for name in consuming:
        note = f"{name} handles messages: what is named may be on its way; start it CONSUMERS=off"
        print(terminal.red(note), file=sys.stderr)
    if options.output == "json":
        print(json.dumps([asdict(one) for one in found], indent=2))
    else:
        print(_as_text(found))
    sys.exit(DISAGREE if found else AGREE)


async def _run(options: argparse.Namespace) -> tuple[Sequence[Disagreement], Sequence[str]]:
    async with admin.opened(options) as ports:
        reports = await reading.reports(ports)
        return await reconcile(ports), [report.service for report in reports if report.consumers]


async def reconcile(ports: Ports) -> Sequence[Disagreement]:
    """Raises ShopError when somebody does not answer."""
    facts = await reading.facts(ports)
    intents = [
        Intent(item["id"], item["status"], item["metadata"].get("order_id", ""))
        async for item in _paged(ports, "payments", "/internal/intents")
    ]
    found = disagreements.find(facts, intents)
    if "auth" in ports.urls:
        found += accounts.find(facts.orders, await _accounts(ports))
    return found


async def _accounts(ports: Ports) -> Accounts:
    users = [item async for item in _paged(ports, "auth", "/internal/audit/facts")]
    erased = [item async for item in _paged(ports, "orders", "/internal/erased")]
    known = {user["user_id"]: bool(user["leaving"]) for user in users}
    return Accounts(known, frozenset(user["user_id"] for user in erased))


async def _paged(ports: Ports, service: str, path: str) -> AsyncIterator[Any]:
    after: str | None = ""
    while after is not None:
        page = await ports.get(service, f"{path}?after={after}")
        for item in page["items"]:
            yield item
        after = page["next_after"]


def _as_text(found: Sequence[Disagreement]) -> str:
    lines: list[str] = []
    for one in found:
        lines += [
            f"{_subject(one)}  {terminal.red(' and '.join(one.between))}",
            f"    {one.detail}",
            f"    -> {one.advice}",
        ]
    orders = len({one.order_id for one in found if one.order_id})
    word = f"{len(found)} disagreements over {orders} orders" if found else "all agree"
    return "\n".join([*lines, terminal.red(word) if found else terminal.green(word)])


def _subject(one: Disagreement) -> str:
    return f"order {terminal.bold(one.order_id)}" if one.order_id else terminal.bold("an account")
