"""What `shop load` does for its arguments."""

import argparse
import asyncio
import json
import signal
import sys

import uvloop

from shop import admin
from shop.customer import Credentials
from shop.load import client, goods, modes, open_loop, orders, report, site
from shop.load.modes import Load
from shop.load.plan import Plan
from shop.load.report import Loaded
from shop.load.tally import Tally

DONE, FAILED, INTERRUPTED = 0, 1, 130
OPEN_ORDERS = 5  # that the shop allows one customer
IN_FLIGHT = 20.0  # seconds; longer, and customers run out of open orders


def run(options: argparse.Namespace) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        try:
            loaded = runner.run(_run(options))
        except asyncio.CancelledError:
            raise KeyboardInterrupt from None
    found = report.figures(loaded)
    print(json.dumps(found, indent=2) if options.output == "json" else report.text(found))
    sys.exit(INTERRUPTED if loaded.run.interrupted else DONE if loaded.spotless else FAILED)


async def _run(options: argparse.Namespace) -> Loaded:
    urls = site.urls(options.url, options.service, remote=options.yes_really_remote)
    plan = Plan(options.rate, options.seconds, options.most)
    if plan.count < plan.wanted:
        _say(f"{plan.wanted} arrivals would be more than --most {plan.most}: it ends earlier")
    with orders.kept(options.record) as book:
        async with client.opened(urls) as opened:
            people = options.customers or customers_for(options.mode, plan)
            load = Load(opened, plan, Tally(), book, people, _say, fresh=not options.etag)
            return await _loaded(options, load)


async def _loaded(options: argparse.Namespace, load: Load) -> Loaded:
    mode = modes.MODES[options.mode](load)
    if options.restock:
        await goods.restock(load.client, load.plan.count, _admin(options), _say)
    await mode.prepare()
    stop = _stop_on_signal()
    _say(f"begin: {load.plan.count} arrivals, {load.plan.rate:g} a second")
    run = await open_loop.drive(load.plan, mode, load.tally, _say, stop)
    await orders.follow(load.client, load.book, options.drain, _say, stop)
    run.interrupted = stop.is_set()
    return Loaded(options.mode, mode.main, load.plan, run, load.tally, load.book)


def customers_for(mode: str, plan: Plan) -> int:
    """Enough that nobody has more open orders than the shop allows, even while it is slow."""
    if mode in ("products", "logins"):
        return OPEN_ORDERS
    return max(10, min(plan.count, round(plan.rate * IN_FLIGHT / OPEN_ORDERS)))


def _admin(options: argparse.Namespace) -> Credentials:
    return Credentials(options.admin_email, admin.password(options))


def _stop_on_signal() -> asyncio.Event:
    """The first Ctrl-C ends the load and shows what there is; a second one ends at once."""
    loop, task, stop = asyncio.get_running_loop(), asyncio.current_task(), asyncio.Event()

    def heard() -> None:
        if stop.is_set() and task is not None:
            task.cancel()
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, heard)
    return stop


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
