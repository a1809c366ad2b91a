"""`python -m benchmarks`: how much the operator costs, beside a bare client and beside kro; and
how many customers the shop serves."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TypeVar

from benchmarks import render, results, run, scenarios
from benchmarks.bench import Options
from benchmarks.contestants import ALL, Contestant
from benchmarks.shop import arguments as shop_arguments
from benchmarks.shop import render as shop_render
from benchmarks.shop.run import PREFIX
from e2e.cluster import settings as environment
from e2e.cluster.__main__ import guarded

T = TypeVar("T")
EPILOG = """\
Each run takes a fresh cluster, with etcd in memory and simulated nodes, and removes it afterwards.
The scenarios of a run follow each other in one cluster; S1 is always first, as it makes the
services. Linux only: processor time is read from /proc.
"""


def main() -> int:
    options = _parser().parse_args()
    return guarded(lambda: options.act(options))


def _run(options: argparse.Namespace) -> None:
    wish = run.Wish(
        scenarios=options.scenario,
        contestants=options.contestant,
        sizes=options.n,
        runs=options.runs,
        options=Options(idle=options.idle, storm=options.storm),
        folder=options.out,
        allow_noise=options.allow_noise,
        keep=options.keep,
    )
    print(run.run(environment.load(), wish))


def _report(options: argparse.Namespace) -> None:
    for path in render.write(results.newest(options.results)):
        print(path)
    for path in shop_render.write(results.newest(options.results, PREFIX)):
        print(path)


def _build(_: argparse.Namespace) -> None:
    for path in run.build(environment.load()):
        print(path)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_run(commands.add_parser("run", help="measure; prints the file with the results"))
    shop_arguments.add_to(commands.add_parser("shop", help="measure the shop, likewise"))
    report = commands.add_parser("report", help="write the pages of docs from the results")
    report.add_argument("--results", type=Path, default=results.FOLDER, metavar="FOLDER")
    report.set_defaults(act=_report)
    build = commands.add_parser("build", help="compile kwok and kro, which `run` needs")
    build.set_defaults(act=_build)
    return parser


def _add_run(parser: argparse.ArgumentParser) -> None:
    known = "\n".join(f"  {s.name}  {s.title}" for s in scenarios.ALL.values())
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = f"scenarios:\n{known}\n\ncontestants: {', '.join(ALL)}"
    add = parser.add_argument
    add("--scenario", type=_scenarios, default=list(scenarios.ALL.values()), metavar="S1,S3,…")
    add("--n", type=_sizes, default=[100], metavar="N,…", help="number of services [100]")
    add("--contestant", type=_contestants, default=list(ALL.values()), metavar="NAME,…")
    add("--runs", type=int, default=5, help="of each contestant, interleaved [5]")
    add("--idle", type=float, default=300.0, metavar="SECONDS", help="length of S5 [300]")
    add("--storm", type=float, default=30.0, metavar="SECONDS", help="status events in S4 [30]")
    add("--out", type=Path, default=results.FOLDER, metavar="FOLDER", help="of the results")
    add("--allow-noise", action="store_true", help="measure on a busy machine; the runs are void")
    add("--keep", action="store_true", help="leave the last cluster as it is")
    parser.set_defaults(act=_run)


def _scenarios(text: str) -> list[scenarios.Scenario]:
    return [_known(scenarios.ALL, name.upper(), "scenario") for name in text.split(",")]


def _contestants(text: str) -> list[Contestant]:
    return [_known(ALL, name, "contestant") for name in text.split(",")]


def _sizes(text: str) -> list[int]:
    sizes = [int(part) for part in text.split(",")]
    if min(sizes) < 1:
        raise argparse.ArgumentTypeError("at least 1 service")
    return sizes


def _known(table: dict[str, T], name: str, what: str) -> T:
    if name not in table:
        known = ", ".join(table)
        raise argparse.ArgumentTypeError(f"there is no {what} {name}; known are {known}")
    return table[name]


if __name__ == "__main__":
    sys.exit(main())
