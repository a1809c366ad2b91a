"""The verbs: this list is the table of contents of the command line and of its reference."""

import argparse
from typing import Any

from msvc import annotate, diff, new, render, restart, tree, validate
from msvc.command import Command
from msvc.exits import MEANINGS

COMMANDS: tuple[Command, ...] = (
    new.COMMAND,
    validate.COMMAND,
    render.COMMAND,
    diff.COMMAND,
    tree.COMMAND,
    restart.COMMAND,
    annotate.PAUSE,
    annotate.RESUME,
)
ABOUT = "Write, check, preview and look at MicroServices, with the operator's own code."


def parser(prog: str, version: str) -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog=prog,
        description=ABOUT,
        epilog=f"exit status:\n{_exits()}\n\nexample:\n  {prog} new hello > hello.yaml",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"msvc {version}")
    verbs = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in COMMANDS:
        _add(verbs.add_parser(command.name, **_help(command, prog)), command)
    return top


def _add(parser: argparse.ArgumentParser, command: Command) -> None:
    command.arguments(parser)
    parser.set_defaults(command=command)


def _help(command: Command, prog: str) -> dict[str, Any]:
    lines = (f"  {line}" for line in command.example.replace("msvc", prog).splitlines())
    return {
        "help": command.summary,
        "description": command.about,
        "epilog": "\n".join(("example:", *lines)),
        "formatter_class": argparse.RawDescriptionHelpFormatter,
    }


def _exits() -> str:
    return "\n".join(f"  {status.value:<5}{meaning}" for status, meaning in MEANINGS.items())
