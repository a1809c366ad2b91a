"""The arguments of `shop audit`; what does the work is imported when it is needed."""

import argparse
from pathlib import Path

from shop import access

EPILOG = """\
exit codes: 0 everything holds, 1 an invariant is broken, 3 not at rest in time
examples:
  shop audit                                          of `shop up` in this folder
  shop audit --admin-url http://127.0.0.1:9191 --admin orders=http://127.0.0.1:9292 \\
             --url http://127.0.0.1:8080 --admin-password-file FILE
  shop audit --record orders.jsonl --scan .run/shop   also promises to clients, and secrets on disk
"""


def add_to(parser: argparse.ArgumentParser) -> None:
    parser.epilog, parser.formatter_class = EPILOG, argparse.RawDescriptionHelpFormatter
    access.add_to(parser)
    _add_scope(parser)
    parser.set_defaults(run=_run)


def _add_scope(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--settle", type=float, default=60, metavar="SECONDS", help="to come to rest (default: 60)"
    )
    parser.add_argument("--record", type=Path, metavar="FILE", help="answers to POST /orders (I6)")
    parser.add_argument(
        "--scan", type=Path, action="append", default=[], metavar="DIR", help="for secrets (I10)"
    )
    parser.add_argument(
        "--canaries", type=Path, metavar="FILE", help="secrets to look for, one a line"
    )
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text")


def _run(options: argparse.Namespace) -> None:
    from shop.audit import command

    command.run(options)
