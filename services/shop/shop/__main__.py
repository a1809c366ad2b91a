"""The `shop` command."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from shop import cluster_secrets, rotation
from shop.audit import arguments as audit_arguments
from shop.customer import Credentials, ShopError
from shop.dlq import arguments as dlq_arguments
from shop.load import arguments as load_arguments
from shop.reconcile import arguments as reconcile_arguments

_EPILOG = """\
examples:
  shop up                                    the whole shop on http://127.0.0.1:8080
  shop up --port 9000 --data /tmp/myshop     elsewhere, with its own data
  shop order --url http://127.0.0.1:8080     buy something and watch the order
  shop order --url URL --card tok_declined   a card that the bank refuses
  shop seed --url URL --admin-email admin@shop.example --admin-password-file FILE
  shop audit --settle 60                     nothing lost, nothing doubled?
  shop dlq list                              messages that nobody could handle
  shop load --rate 15 --seconds 60           many customers at once, and how long they wait
  shop reconcile                             after one database was put back to a copy
  shop crashpoints                           every point at which the tests let a process die
  shop keys add < keys.json                  the first step of changing a signing key
  shop secrets | kubectl apply -f -          everything secret of a cluster installation, once
"""
TOKENS = (
    "tok_ok",
    "tok_declined",
    "tok_requires_action",
    "tok_slow",
    "tok_timeout_after_charge",
    "tok_error_after_charge",
    "tok_refund_fails_once",
)


def main(arguments: Sequence[str] | None = None) -> None:
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except ShopError as error:
        sys.exit(f"shop: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="shop",
        description="The demonstration shop: run it, fill it, buy from it.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_up(commands.add_parser("up", help="run all services in one process, with SQLite"))
    _add_seed(commands.add_parser("seed", help="add the products that are missing"))
    _add_order(commands.add_parser("order", help="place one order and show its timeline"))
    audit_arguments.add_to(
        commands.add_parser("audit", help="check that money, stock and orders agree")
    )
    dlq_arguments.add_to(
        commands.add_parser("dlq", help="messages that could not be handled, and their replay")
    )
    reconcile_arguments.add_to(
        commands.add_parser("reconcile", help="after a restore: where the services disagree")
    )
    load_arguments.add_to(
        commands.add_parser("load", help="many customers at once: how fast, how many fail")
    )
    _add_crashpoints(
        commands.add_parser("crashpoints", help="list where a process may die on an order's way")
    )
    rotation.add_to(commands.add_parser("keys", help="change a signing key, step by step"))
    _add_secrets(commands.add_parser("secrets", help="print new Secrets for a cluster"))
    return parser


def _add_up(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--port", type=int, default=8080, help="pages and API (default: 8080)")
    parser.add_argument("--admin-port", type=int, default=9090, help="metrics (default: 9090)")
    parser.add_argument(
        "--data",
        type=Path,
        default=Path(".run/shop"),
        metavar="DIR",
        help="databases and keys (default: .run/shop)",
    )
    parser.add_argument("--no-seed", action="store_true", help="leave the shelves as they are")
    parser.add_argument(
        "--consumers",
        choices=("on", "off"),
        default="on",
        help="off: answer requests only, for `shop reconcile` after a restore",
    )
    parser.add_argument("--verbose", action="store_true", help="log every step as JSON")
    parser.set_defaults(run=_up)


def _up(options: argparse.Namespace) -> None:
    # Six services take a second to import; the other commands need none of them.
    from shop.services import Place
    from shop.up import up

    place = Place(options.port, options.admin_port, options.data)
    on = options.consumers == "on"
    up(place, seeded=not options.no_seed, verbose=options.verbose, consumers=on)


def _add_url(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--url", default="http://127.0.0.1:8080", help="of the shop (default: %(default)s)"
    )


def _add_seed(parser: argparse.ArgumentParser) -> None:
    _add_url(parser)
    parser.add_argument("--admin-email", required=True)
    password = parser.add_mutually_exclusive_group(required=True)
    password.add_argument("--admin-password")
    password.add_argument("--admin-password-file", type=Path, metavar="FILE")
    parser.set_defaults(run=_seed)


def _seed(options: argparse.Namespace) -> None:
    from shop.seed import seed

    admin = Credentials(options.admin_email, _password(options))
    added = seed(options.url, admin, print)
    print(f"{added} products added" if added else "nothing to add, the shelves are full")


def _password(options: argparse.Namespace) -> str:
    if options.admin_password is not None:
        return str(options.admin_password)
    try:
        return str(options.admin_password_file.read_text(encoding="utf-8").strip())
    except OSError as error:
        raise ShopError(f"{options.admin_password_file}: {error.strerror}") from error


def _add_order(parser: argparse.ArgumentParser) -> None:
    _add_url(parser)
    parser.add_argument(
        "--card", choices=TOKENS, default="tok_ok", metavar="TOKEN", help=f"{', '.join(TOKENS)}"
    )
    parser.add_argument("--sku", default="", help="what to buy (default: something in stock)")
    parser.add_argument("--quantity", type=int, default=1)
    parser.add_argument(
        "--timeout", type=float, default=120, metavar="SECONDS", help="for its end (default: 120)"
    )
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text")
    parser.set_defaults(run=_order)


def _order(options: argparse.Namespace) -> None:
    from shop.order import Wish, place

    wish = Wish(options.sku, options.quantity, options.card, options.timeout)
    as_json = options.output == "json"
    result = place(options.url, wish, (lambda _: None) if as_json else _say)
    if as_json:
        print(json.dumps(result, indent=2))


def _add_crashpoints(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text")
    parser.set_defaults(run=_crashpoints)


def _crashpoints(options: argparse.Namespace) -> None:
    from shop import crashpoints

    points = list(crashpoints.names())
    print(json.dumps(points, indent=2) if options.output == "json" else "\n".join(points))


def _say(line: str) -> None:
    print(line, flush=True)


def _add_secrets(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--namespace", default="shop", help="of the shop (default: shop)")
    parser.add_argument(
        "--platform-namespace",
        default="platform",
        help="of PostgreSQL and NATS (default: platform)",
    )
    parser.set_defaults(run=_secrets)


def _secrets(options: argparse.Namespace) -> None:
    names = cluster_secrets.Namespaces(options.namespace, options.platform_namespace)
    print(json.dumps(cluster_secrets.secret_list(names), indent=2))


if __name__ == "__main__":
    main()
