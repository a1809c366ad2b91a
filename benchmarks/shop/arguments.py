"""The arguments of `python -m benchmarks shop`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from benchmarks import results
from benchmarks.shop import run, scenarios
from benchmarks.shop.scenarios import Length, Scenario

EPILOG = """\
A run takes a new shop with PostgreSQL and NATS, then one with SQLite, and about 14 minutes.
`--quick` is a trial of three minutes, whose results are kept in .run/bench-shop.
"""


def add_to(parser: argparse.ArgumentParser) -> None:
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = EPILOG
    groups = ",".join(scenarios.GROUPS)
    add = parser.add_argument
    add("--only", type=_groups, default=scenarios.GROUPS, metavar="GROUP,…", help=f"of {groups}")
    add("--runs", type=int, help="of everything [5; 1 with --quick]")
    add("--quick", action="store_true", help="a trial: short, and a part of it")
    add("--out", type=Path, metavar="FOLDER", help="of the results")
    add(
        "--data",
        type=Path,
        default=Path("/var/tmp"),
        metavar="FOLDER",
        help="on a disk, for the databases [/var/tmp]",
    )
    add("--allow-noise", action="store_true", help="measure on a busy machine; the runs are void")
    parser.set_defaults(act=_run)


def _groups(text: str) -> Sequence[str]:
    names = text.split(",")
    if unknown := set(names) - set(scenarios.GROUPS):
        known = ", ".join(scenarios.GROUPS)
        raise argparse.ArgumentTypeError(f"there is no {min(unknown)}; known are {known}")
    return names


def _run(options: argparse.Namespace) -> None:
    wish = run.Wish(
        scenarios=_chosen(options.only, quick=options.quick),
        runs=options.runs or (1 if options.quick else 5),
        length=run.TRIAL if options.quick else Length(),
        folder=options.out or (run.TRIAL_FOLDER if options.quick else results.FOLDER),
        data=options.data,
        allow_noise=options.allow_noise,
    )
    print(run.run(wish))


def _chosen(groups: Sequence[str], *, quick: bool) -> list[Scenario]:
    return [s for s in scenarios.ALL if s.group in groups and (s.in_trial or not quick)]
