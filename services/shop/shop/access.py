"""The arguments with which a command reaches the services' admin ports."""

import argparse
from pathlib import Path

from shop.cluster_secrets import ADMIN_EMAIL


def add_to(parser: argparse.ArgumentParser) -> None:
    add_sign_in(parser, "to sign in")
    parser.add_argument(
        "--admin-url",
        default="http://127.0.0.1:9090/{service}",
        metavar="URL",
        help="of the admin ports, {service} is replaced (default: %(default)s)",
    )
    parser.add_argument(
        "--admin", action="append", default=[], metavar="SERVICE=URL", help="of one service"
    )


def add_sign_in(parser: argparse.ArgumentParser, url: str) -> None:
    """`url`: what the address is for."""
    parser.add_argument(
        "--url", default="http://127.0.0.1:8080", help=f"{url} (default: %(default)s)"
    )
    parser.add_argument("--admin-email", default=ADMIN_EMAIL, help="default: %(default)s")
    parser.add_argument("--admin-password-file", type=Path, metavar="FILE")
    parser.add_argument(
        "--data", type=Path, default=Path(".run/shop"), metavar="DIR", help="of `shop up`"
    )
