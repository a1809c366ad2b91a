"""The arguments of `shop dlq`; what does the work is imported when it is needed."""

import argparse

from shop import access

EPILOG = """\
exit codes: 0 done, 1 a message fails again, is not there, or a service does not answer
examples:
  shop dlq list                              of `shop up` in this folder
  shop dlq list --service catalog -o json
  shop dlq show 3f2504e0                     its headers and content; an id may be cut short
  shop dlq replay 3f2504e0                   after what was wrong has been repaired
  shop dlq replay --all --service catalog
"""
DESCRIPTION = """\
A message that fails three times is kept by the service that could not handle it, and its sender
goes on sending it. It disappears when it is handled: by another sending, or by `replay`."""


def add_to(parser: argparse.ArgumentParser) -> None:
    _described(parser)
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    listing = _action(actions.add_parser("list", help="one line each"), "list")
    _add_service(listing)
    _add_output(listing)
    showing = _action(actions.add_parser("show", help="everything that is known of one"), "show")
    showing.add_argument("id", metavar="ID")
    _add_output(showing)
    replaying = _action(actions.add_parser("replay", help="hand to the handler again"), "replay")
    which = replaying.add_mutually_exclusive_group(required=True)
    which.add_argument("id", metavar="ID", nargs="?")
    which.add_argument("--all", action="store_true", help="one after the other")
    _add_service(replaying)


def _described(parser: argparse.ArgumentParser) -> None:
    parser.description, parser.epilog = DESCRIPTION, EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter


def _action(parser: argparse.ArgumentParser, name: str) -> argparse.ArgumentParser:
    _described(parser)
    access.add_to(parser)
    parser.set_defaults(run=_run, action=name)
    return parser


def _add_service(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--service", metavar="SERVICE", help="of this one alone")


def _add_output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text")


def _run(options: argparse.Namespace) -> None:
    from shop.dlq import command

    command.run(options)
