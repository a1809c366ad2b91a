"""The arguments of `shop reconcile`; what does the work is imported when it is needed."""

import argparse

from shop import access

DESCRIPTION = """\
One service's database was put back to an earlier copy: it has lost its agreement with the others.
Start the services with CONSUMERS=off (`shop up --consumers off`), so that nothing acts on what is
not true any more; this command then names every order on which they disagree, and what to do."""
EPILOG = """\
exit codes: 0 all agree, 1 a service does not answer, 3 there are disagreements
examples:
  shop reconcile                       of `shop up --consumers off` in this folder
  shop reconcile -o json --admin-url http://{service}.shop:9090 \\
                 --url https://shop.example --admin-password-file FILE
"""


def add_to(parser: argparse.ArgumentParser) -> None:
    parser.description, parser.epilog = DESCRIPTION, EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    access.add_to(parser)
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> None:
    from shop.reconcile import command

    command.run(options)
