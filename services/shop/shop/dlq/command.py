"""What `shop dlq` does for its arguments."""

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence

from shop import admin, terminal
from shop.admin import Ports
from shop.dlq import letters
from shop.dlq.letters import Kept
from shopkit.letters import Opened

DONE, FAILED = 0, 1


def run(options: argparse.Namespace) -> None:
    sys.exit(asyncio.run(_run(options)))


async def _run(options: argparse.Namespace) -> int:
    async with admin.opened(options) as ports:
        match options.action:
            case "list":
                return _list(await letters.kept(ports, options.service), options.output)
            case "show":
                found = await letters.find(ports, options.id)
                return _show(found, await letters.opened(ports, found), options.output)
            case _:
                return await _replay(ports, await _chosen(ports, options))


def _list(found: Sequence[Kept], output: str) -> int:
    if output == "json":
        lines = [{"service": o.service, **o.letter.model_dump(mode="json")} for o in found]
        print(json.dumps(lines, indent=2))
    else:
        print("\n".join(map(_line, found)) if found else terminal.green("no dead letters"))
    return DONE


def _line(one: Kept) -> str:
    letter = one.letter
    since = f"{letter.first_at:%Y-%m-%d %H:%M:%S}"
    times = terminal.red(f"failed {letter.count} times since {since}")
    name = terminal.bold(f"{one.service} {letter.type}")
    return f"{letter.message_id}  {name}  {times}\n    {letter.error}"


def _show(one: Kept, content: Opened, output: str) -> int:
    values = {"service": one.service, **content.model_dump(mode="json")}
    if output == "json":
        print(json.dumps(values, indent=2))
        return DONE
    headers = values.pop("headers")
    for name, value in values.items():
        print(f"{terminal.bold(name.ljust(10))}  {value}")
    for name, value in headers.items():
        print(f"  {name}: {value}")
    return DONE


async def _chosen(ports: Ports, options: argparse.Namespace) -> Sequence[Kept]:
    if options.all:
        return await letters.kept(ports, options.service)
    return [await letters.find(ports, options.id, options.service)]


async def _replay(ports: Ports, chosen: Sequence[Kept]) -> int:
    failed = 0
    for one in chosen:
        why = await letters.replay(ports, one)
        failed += bool(why)
        word = terminal.red(why) if why else terminal.green("handled")
        print(f"{one.letter.message_id}  {one.service} {one.letter.type}: {word}", flush=True)
    print(f"{len(chosen) - failed} handled, {failed} not")
    return FAILED if failed else DONE
