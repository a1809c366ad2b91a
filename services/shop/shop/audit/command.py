"""What `shop audit` does for its arguments."""

import argparse
import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import httpx

from shop import terminal
from shop.audit.auditing import Scope, Verdict, audit
from shop.audit.reading import AUDITED, Admin
from shop.customer import Credentials, ShopError, visiting
from shop.installation import Installation
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
    async with httpx.AsyncClient(timeout=30) as http:
        admin = Admin(http, _urls(options), _token(options))
        return await audit(admin, _scope(options), SystemClock(), _say)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _urls(options: argparse.Namespace) -> Mapping[str, str]:
    urls = {name: options.admin_url.replace("{service}", name) for name in AUDITED}
    for pair in options.admin:
        name, _, url = pair.partition("=")
        if name not in urls or not url:
            raise ShopError(f"--admin {pair}: write SERVICE=URL, SERVICE is one of {list(urls)}")
        urls[name] = url
    return urls


def _token(options: argparse.Namespace) -> str:
    who = Credentials(options.admin_email, _password(options))
    with visiting(options.url) as visitor:
        visitor.sign_in(who)
        return visitor.token


def _password(options: argparse.Namespace) -> str:
    if options.admin_password_file is not None:
        return _text(options.admin_password_file)
    if not options.data.is_dir():
        raise ShopError(f"{options.data} is no data folder of a shop; see --admin-password-file")
    return Installation.in_folder(options.data).admin_password


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ShopError(f"{path}: {error.strerror}") from error


def _scope(options: argparse.Namespace) -> Scope:
    canaries: Sequence[str] = _text(options.canaries).splitlines() if options.canaries else ()
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
