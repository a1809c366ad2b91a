"""`python -m e2e.demo`: cluster, operator, shop, and an order through the gateway."""

from __future__ import annotations

import argparse
import sys

from e2e.cluster import settings as environment
from e2e.cluster.__main__ import guarded
from e2e.demo import walk
from e2e.demo.target import Target, chosen

EPILOG = """\
environment:
  CLUSTER=existing KUBECONFIG=FILE IMAGE_PREFIX=REGISTRY/FOLDER
                      run on a cluster of yours; images are pushed to the prefix
  GATEWAY=gateway/public, GATEWAY_PODS=app=traefik, GATEWAY_URL=http://HOST:PORT
                      its Gateway, the labels of the Gateway's pods, and where it answers
  MICROSERVICE_CACHE  where built things are kept (default: ~/.cache/microservice-operator)
  INSTALL=no          print the commands instead of installing Debian packages
"""


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m e2e.demo",
        description=__doc__,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "command",
        nargs="?",
        choices=["run", "install", "gateway-url", "kubeconfig"],
        default="run",
        help="run: everything (default); install: all but the orders; or print one line",
    )
    options = parser.parse_args()
    return guarded(lambda: _run(options.command))


def _run(command: str) -> None:
    target = chosen(environment.load())
    if command in ("run", "install"):
        walk.run(target, orders=command == "run")
    else:
        print(_line(command, target))


def _line(command: str, target: Target) -> str:
    return target.gateway_url() if command == "gateway-url" else str(target.kubeconfig)


if __name__ == "__main__":
    sys.exit(main())
