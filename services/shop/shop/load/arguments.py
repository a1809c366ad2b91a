"""The arguments of `shop load`; what does the work is imported when it is needed."""

import argparse
from collections.abc import Callable
from pathlib import Path

from shop import access
from shop.customer import ShopError

DESCRIPTION = """\
Arrivals come at a set rate, whether or not earlier ones were answered, and every time is counted
from the moment its arrival was due: a shop that stalls cannot hide it. A checkout is a quote and
an order by a customer who is signed in, with a card that is accepted; afterwards the orders are
followed to their end."""
EPILOG = """\
modes:
  checkouts   a quote, and an order with it
  products    the first page of the product list
  logins      email and password for a token
  functions   orders, and everything else that a customer does beside them

exit codes: 0 everything answered and ended, 1 something was not, 130 Ctrl-C
examples:
  shop load                                     of `shop up`: 5 checkouts a second for 20 s
  shop load --rate 15 --seconds 60 --restock    more than is in stock
  shop load products --rate 800 --etag          lists that have not changed (304)
  shop load --record orders.jsonl && shop audit --record orders.jsonl
  shop load --service auth=http://127.0.0.1:9001 --service orders=http://127.0.0.1:9002 ...

From one address auth allows RATE_LIMIT (300) sign-ups and logins each in a minute; sign-ups wait
for that, `logins` do not: start auth, or `shop up`, with RATE_LIMIT=100000 to measure them."""
MODES = ("checkouts", "products", "logins", "functions")
LONGEST, FASTEST = 300.0, 5000.0  # seconds, because tokens live for ten minutes; a second


def add_to(parser: argparse.ArgumentParser) -> None:
    parser.description, parser.epilog = DESCRIPTION, EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    _add_load(parser)
    _add_shop(parser)
    parser.set_defaults(run=_run)


def _add_load(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("mode", nargs="?", choices=MODES, default="checkouts", metavar="MODE", help="see below")
    add("--rate", type=_up_to(FASTEST), default=5.0, help="arrivals a second (default: 5)")
    add(
        "--seconds",
        type=_up_to(LONGEST),
        default=20.0,
        help=f"how long they come (default: 20, at most {LONGEST:.0f})",
    )
    add(
        "--most",
        type=_count,
        default=10_000,
        metavar="N",
        help="never more arrivals than this (default: 10000)",
    )
    add("--customers", type=_count, metavar="N", help="who take turns (default: by rate)")
    add(
        "--drain",
        type=_up_to(LONGEST),
        default=60.0,
        metavar="SECONDS",
        help="for the orders to end afterwards (default: 60)",
    )
    add("--etag", action="store_true", help="products: ask only for what has changed")


def _add_shop(parser: argparse.ArgumentParser) -> None:
    access.add_sign_in(parser, "of the shop")
    add = parser.add_argument
    add(
        "--service",
        action="append",
        default=[],
        metavar="SERVICE=URL",
        help="where one service is, if not at --url",
    )
    add("--restock", action="store_true", help="first take in what is missing, as the admin")
    add("--record", type=Path, metavar="FILE", help="of accepted orders, for `shop audit`")
    add("-o", "--output", choices=("text", "json"), default="text")
    add(
        "--yes-really-remote",
        action="store_true",
        help="the shop is on another machine and yours to load",
    )


def _up_to(most: float) -> Callable[[str], float]:
    def bounded(text: str) -> float:
        value = float(text)
        if not 0 < value <= most:
            raise argparse.ArgumentTypeError(f"more than 0, at most {most:g}")
        return value

    return bounded


def _count(text: str) -> int:
    if (number := int(text)) < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number


def _run(options: argparse.Namespace) -> None:
    try:
        from shop.load import command
    except ModuleNotFoundError as error:
        if error.name != "aiohttp":
            raise
        raise ShopError("`shop load` needs aiohttp: pip install 'shop[load]'") from error
    command.run(options)
