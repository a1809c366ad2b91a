"""`python -m e2e.cluster`: the local clusters, and what they are made of."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable
from types import FrameType

from e2e.cluster import cluster as clusters
from e2e.cluster import engine, images, lifecycle, loading, packages, parts, status, tools
from e2e.cluster import settings as environment
from e2e.cluster.cluster import SHAPES, Cluster
from e2e.cluster.errors import Problem, explain
from e2e.cluster.progress import progress
from e2e.cluster.settings import Settings

Command = Callable[[argparse.Namespace, Settings], None]


def _up(options: argparse.Namespace, settings: Settings) -> None:
    cluster = _cluster(options, settings)
    made = bring_up(cluster)
    progress.say(f"{cluster.kind_name} is {'ready' if made else 'up already'}")
    print(cluster.kubeconfig)


def bring_up(cluster: Cluster) -> bool:
    """Whether something had to be made."""
    made = lifecycle.up(cluster)
    if cluster.shape.gateway:
        parts.install(cluster, parts.WITH_THE_CLUSTER)
    return made


def _down(options: argparse.Namespace, settings: Settings) -> None:
    for name in [options.name] if options.name else SHAPES:
        lifecycle.down(clusters.named(settings, name))


def _status(options: argparse.Namespace, settings: Settings) -> None:
    for name in [options.name] if options.name else SHAPES:
        print(status.line(clusters.named(settings, name)))


def _load(options: argparse.Namespace, settings: Settings) -> None:
    loading.load(_cluster(options, settings), options.image)


def _kubeconfig(options: argparse.Namespace, settings: Settings) -> None:
    cluster = _cluster(options, settings)
    cluster.write_kubeconfig()
    if not cluster.kubeconfig.exists():
        raise Problem(
            f"the cluster {cluster.kind_name} is not there",
            remedy=f"python -m e2e.cluster up --name {cluster.name}",
        )
    print(cluster.kubeconfig)


def _gateway_url(options: argparse.Namespace, settings: Settings) -> None:
    print(_cluster(options, settings).gateway_url())


def _logs(options: argparse.Namespace, settings: Settings) -> None:
    print(status.export_logs(_cluster(options, settings)))


def _images(options: argparse.Namespace, settings: Settings) -> None:
    engine.ensure(settings)
    chosen = [images.named(name) for name in options.image] or images.TABLE
    for image in chosen:
        print(f"{image.name:16}{images.ensure(settings, image)}")


def _tools(options: argparse.Namespace, settings: Settings) -> None:
    for tool in (tools.KIND, tools.KUBECTL, tools.HELM):
        if not options.tool or tool.name == options.tool:
            print(tools.path(settings, tool))


def _packages(options: argparse.Namespace, settings: Settings) -> None:
    for name in options.package:
        print(packages.program(settings, name))


def _cluster(options: argparse.Namespace, settings: Settings) -> Cluster:
    return clusters.named(settings, options.name)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m e2e.cluster", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name: str, run: Command, text: str, default: str | None = "demo") -> _Parser:
        command = commands.add_parser(name, help=text, description=text)
        command.set_defaults(run=run)
        command.add_argument("--name", choices=sorted(SHAPES), default=default)
        return command

    add("up", _up, "make the cluster, or find it as it is; prints its kubeconfig's path")
    add("down", _down, "remove the cluster (without --name: all of them)", default=None)
    add("status", _status, "one line for each cluster", default=None)
    load = add("load", _load, "carry images from the Docker engine to the nodes")
    load.add_argument("image", nargs="+")
    add("kubeconfig", _kubeconfig, "print the path of the cluster's kubeconfig")
    add("gateway-url", _gateway_url, "print the address of the cluster's gateway")
    add("logs", _logs, "collect the logs of nodes and pods; prints the folder")
    command = add("images", _images, "make sure of the images that are not ours")
    command.add_argument("image", nargs="*")
    command = add("tools", _tools, "print where kind, kubectl and helm are; built if need be")
    command.add_argument("tool", nargs="?", choices=["kind", "kubectl", "helm"])
    command = add("packages", _packages, "make sure of programs that tests need, from Debian")
    command.add_argument("package", nargs="+", choices=sorted(packages.PROGRAMS))
    return parser


_Parser = argparse.ArgumentParser


def stopped(_: int, __: FrameType | None) -> None:
    raise KeyboardInterrupt


def guarded(run: Callable[[], None]) -> int:
    """The exit status of a command whose failures are told, and which Ctrl-C stops cleanly."""
    signal.signal(signal.SIGTERM, stopped)
    try:
        run()
    except Problem as problem:
        print(explain(problem), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; run it again to go on where it was", file=sys.stderr)
        return 130
    return 0


def main() -> int:
    options = _parser().parse_args()
    return guarded(lambda: options.run(options, environment.load()))


if __name__ == "__main__":
    sys.exit(main())
