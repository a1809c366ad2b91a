"""`shop keys`: the steps that change a signing key while nobody is refused.

Add, roll, reorder, roll, wait until nothing that the old key signed is valid, remove, roll.
"""

import argparse
import json
import sys
from collections.abc import Callable, Mapping
from typing import Any

from shop.customer import ShopError
from shopkit.auth import Signer, new_keys

Keys = list[dict[str, Any]]


def added(keys: str) -> str:
    """A private JWK set with one more key, which is published and does not sign yet."""
    return _written([*_read(keys), *_read(new_keys())])


def reordered(keys: str) -> str:
    """The newest key signs; what the others signed stays valid."""
    *older, newest = _read(keys)
    return _written([newest, *older])


def removed(keys: str) -> str:
    """Only the key that signs is left."""
    return _written(_read(keys)[:1])


def _public(keys: str) -> str:
    _read(keys)
    return Signer.from_json(keys).jwks_json()


STEPS: Mapping[str, Callable[[str], str]] = {
    "add": added,
    "reorder": reordered,
    "remove": removed,
    "public": _public,
}


def _read(text: str) -> Keys:
    """Raises ShopError for anything but a private JWK set."""
    try:
        keys: Keys = json.loads(text)["keys"]
        if keys and all("d" in key for key in keys):
            return keys
    except (ValueError, KeyError, TypeError):
        pass
    raise ShopError('standard input is no private JWK set: {"keys": [...]} with the part `d`')


def _written(keys: Keys) -> str:
    return json.dumps({"keys": keys})


_DESCRIPTION = """\
Reads a private JWK set on standard input, as in the Secrets token-keys and quote-keys, and writes
it as it is after the step; `public` writes what belongs into token-jwks and quote-jwks."""
_EPILOG = """\
examples:
  shop keys add < keys.json > new.json       then give it to every service, and restart them
  shop keys reorder < new.json > next.json   then restart the one that signs
  shop keys remove < next.json > last.json   11 minutes later; then restart all
  shop keys public < new.json                the public half
"""


def add_to(parser: argparse.ArgumentParser) -> None:
    parser.description, parser.epilog = _DESCRIPTION, _EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("step", choices=tuple(STEPS), metavar="STEP", help=", ".join(STEPS))
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> None:
    if sys.stdin.isatty():
        raise ShopError(f"give it the keys: shop keys {options.step} < keys.json")
    print(STEPS[options.step](sys.stdin.read()))
