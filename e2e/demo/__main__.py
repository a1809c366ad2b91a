"""`python -m e2e.demo`: cluster, operator, shop, and an order through the gateway."""

from __future__ import annotations

import argparse
import sys

from e2e.cluster import engine
from e2e.cluster import settings as environment
from e2e.cluster.__main__ import guarded
from e2e.demo import charts, walk
from e2e.demo.target import chosen

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
        choices=["run", "install", "images", "gateway-url", "kubeconfig"],
        default="run",
        help="run: everything (default); install: all but the orders; images: build ours and print "
        "their names; the others print one line",
    )
    options = parser.parse_args()
    return guarded(lambda: _run(options.command))


def _run(command: str) -> None:
    settings = environment.load()
    if command == "images":
        engine.ensure(settings)
    target = chosen(settings)
    if command in ("run", "install"):
        walk.run(target, orders=command == "run")
    elif command == "images":
        for chart in (charts.OPERATOR, charts.SHOP):
            print("\n".join(charts.build(target, chart, charts.tag_of(chart))))
    else:
        print(target.gateway_url() if command == "gateway-url" else target.kubeconfig)


if __name__ == "__main__":
    sys.exit(main())
