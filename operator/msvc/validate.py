"""`msvc validate`: will the API server and the operator accept these files?"""

import argparse
from collections.abc import Iterator
from typing import Any

from msvc.command import Command
from msvc.documents import Document, read
from msvc.exits import Exit
from msvc.finding import Finding
from msvc.paint import Paint
from msvc.printing import add_output, show
from msvc.verdict import verdict

Checked = tuple[Document, list[Finding]]


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "files", metavar="FILE", nargs="+", help="YAML or JSON; other kinds in it are skipped"
    )
    add_output(parser)


def _run(options: argparse.Namespace) -> Exit:
    checked = [
        (document, verdict(document.body))
        for file in options.files
        for document in read(file)
        if document.is_service
    ]
    show(options, [_value(*each) for each in checked], lambda paint: _pretty(checked, paint))
    return Exit.NO if any(found for _, found in checked) else Exit.OK


def _value(document: Document, found: list[Finding]) -> dict[str, Any]:
    return {
        "file": document.source,
        "name": document.name,
        "valid": not found,
        "problems": [
            {"line": document.line(f.place), "path": f.path, "message": f.message} for f in found
        ],
    }


def _pretty(checked: list[Checked], paint: Paint) -> str:
    if not checked:
        return "no MicroService in any of these files"
    return "\n".join(line for each in checked for line in _lines(*each, paint))


def _lines(document: Document, found: list[Finding], paint: Paint) -> Iterator[str]:
    """One finding a line, in the form that editors and CI turn into links."""
    if not found:
        yield f"{document.source}: {document.name} is {paint.green('valid')}"
    for finding in found:
        where = f"{document.source}:{document.line(finding.place)}"
        yield f"{where}: {document.name}: {paint.red(finding.path)} {finding.message}"


COMMAND = Command(
    name="validate",
    summary="check files as the API server and the operator will",
    about="Check the MicroServices in files against the schema of the CRD, its rules between fields"
    " and the\noperator's own checks, without a cluster. For CI and pre-commit: exit status 1 if"
    " one is invalid.",
    example="msvc validate orders.yaml payments.yaml\nhelm template charts/shop | msvc validate -",
    arguments=_arguments,
    run=_run,
)
