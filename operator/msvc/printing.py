"""Answers on standard output: for people, or as JSON or YAML for programs."""

import argparse
import json
import sys
from collections.abc import Callable
from typing import Any

import yaml

from msvc.paint import Paint


class _Plain(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def as_yaml(value: Any) -> str:
    return yaml.dump(value, Dumper=_Plain, sort_keys=False, width=100, allow_unicode=True)


def add_output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-o", "--output", choices=("json", "yaml"), help="for programs, instead of for people"
    )


def show(options: argparse.Namespace, value: Any, pretty: Callable[[Paint], str]) -> None:
    """`value` is what programs get, `pretty` what people get."""
    match options.output:
        case "json":
            print(json.dumps(value, indent=2))
        case "yaml":
            print(as_yaml(value), end="")
        case _:
            print(pretty(Paint.of(sys.stdout)))
