"""What `shop audit` does for its arguments."""

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict

from shop import admin, terminal
from shop.audit.auditing import Scope, Verdict, audit
from shopkit.clock import SystemClock

CLEAN, BROKEN, NOT_AT_REST = 0, 1, 3


def run(options: argparse.Namespace) -> None:
    verdict = asyncio.run(_audit(options))
    if options.output == "json":
        print(json.dumps(_as_json(verdict), indent=2))
    else:
        print(_as_text(verdict))
    sys.exit(NOT_AT_REST if verdict.unsettled else CLEAN if verdict.clean else BROKEN)


async def _audit(options: argparse.Namespace) -> Verdict:
    async with admin.opened(options) as ports:
        return await audit(ports, _scope(options), SystemClock(), _say)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _scope(options: argparse.Namespace) -> Scope:
    canaries: Sequence[str] = admin.text(options.canaries).splitlines() if options.canaries else ()
    return Scope(options.settle, options.record, tuple(options.scan), canaries)


def _as_json(verdict: Verdict) -> dict[str, object]:
    broken = [violation.model_dump() for violation in verdict.violations]
    return {**asdict(verdict), "violations": broken, "clean": verdict.clean}


def _as_text(verdict: Verdict) -> str:
    lines = [f"{terminal.red(v.invariant)}  {v.subject}: {v.detail}" for v in verdict.violations]
    lines += [f"{terminal.red('not at rest')}  {work}" for work in verdict.unsettled]
    lines += [f"dead letter  {letter}" for letter in verdict.letters]
    checked = f"{', '.join(verdict.checked)} over {verdict.orders} orders"
    word = terminal.green("clean") if verdict.clean else terminal.red("NOT clean")
    return "\n".join([*lines, f"{word}: {checked}"])
