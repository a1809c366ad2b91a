"""`python -m shop.openapi [--check]`: the HTTP contracts of all services, as files."""

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from shop.installation import Installation
from shop.services import Place, embedded
from shopkit.app import Service
from shopkit.errors import STATUSES, TITLES, Slug

# services/contracts/openapi of the checkout that this file belongs to.
FOLDER = Path(__file__).resolve().parents[2] / "contracts" / "openapi"

REQUIRED = ("idempotency-key", "if-match")
_TEXT = {"type": "string"}
EVENT = {
    "title": "Event",
    "description": "`data` is JSON: at, event, detail, state",
    "type": "object",
    "required": ["id", "data"],
    "properties": {"id": _TEXT, "data": _TEXT},
}
BANK_ERROR = {
    "title": "BankError",
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["type", "message"],
            "properties": {"type": _TEXT, "code": _TEXT, "message": _TEXT, "param": _TEXT},
        }
    },
}


def documents() -> Iterator[tuple[str, str]]:
    """File name and text; the version stays out, so that a release changes no contract."""
    with tempfile.TemporaryDirectory() as folder:
        for service in embedded(Place(8080, 9090, Path(folder)), Installation.new()):
            yield f"{service.name}.json", _document(service)


def _document(service: Service) -> str:
    document = service.app.openapi()
    document["info"] = {"title": service.name, "version": "1"}
    return json.dumps(_with_problems(document, service.name), indent=2, sort_keys=True) + "\n"


def _with_problems(document: dict[str, object], service: str) -> dict[str, object]:
    """Every error is a problem+json; FastAPI would describe only its own, which none sends."""
    components = document.setdefault("components", {})
    assert isinstance(components, dict)
    schemas = components.setdefault("schemas", {})
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    schemas["Problem"] = _problem()
    if service == "bank":
        schemas["BankError"] = BANK_ERROR
    for operation in _operations(document):
        operation["responses"].pop("422", None)
        operation["responses"]["default"] = _answer(service)
        for parameter in operation.get("parameters", ()):
            _require(parameter)
        for response in operation["responses"].values():
            _describe_events(response.get("content", {}))
    return document


def _require(parameter: dict[str, Any]) -> None:
    """Optional to FastAPI alone, so that their lack can be told from a wrong value."""
    if parameter["name"] in REQUIRED:
        parameter["required"] = True
        parameter["schema"] = parameter["schema"]["anyOf"][0]


def _describe_events(content: dict[str, Any]) -> None:
    """To FastAPI a stream is one string."""
    if "text/event-stream" in content:
        content["text/event-stream"]["schema"] = EVENT


def _operations(document: dict[str, object]) -> Iterator[dict[str, Any]]:
    paths = document.get("paths", {})
    assert isinstance(paths, dict)
    for path in paths.values():
        yield from path.values()


def _answer(service: str) -> dict[str, object]:
    problem = {"schema": {"$ref": "#/components/schemas/Problem"}}
    content = {"application/problem+json": problem}
    if service != "bank":
        return {"description": "RFC 9457 problem details", "content": content}
    refusal = {"schema": {"$ref": "#/components/schemas/BankError"}}
    description = "The bank's refusal in Stripe's form; problem details for what it cannot read"
    return {"description": description, "content": content | {"application/json": refusal}}


def _problem() -> dict[str, object]:
    return {
        "title": "Problem",
        "type": "object",
        "required": ["type", "title", "status", "detail", "trace_id"],
        "properties": {
            "type": _TEXT | {"enum": [f"urn:shop:problem:{slug}" for slug in Slug]},
            "title": _TEXT | {"enum": [TITLES[slug] for slug in Slug]},
            "status": {"type": "integer", "enum": sorted(STATUSES)},
            "detail": _TEXT,
            "trace_id": _TEXT,
            "errors": {"type": "array", "items": {"type": "object"}},
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m shop.openapi", description=__doc__)
    parser.add_argument("--check", action="store_true", help="only compare, write nothing")
    check = parser.parse_args().check
    stale = [name for name, text in documents() if _differs(FOLDER / name, text, write=not check)]
    if check and stale:
        sys.exit(f"out of date: {', '.join(stale)}; run `python -m shop.openapi`")
    print(f"{len(stale)} files {'differ' if check else 'written'} in services/contracts/openapi")


def _differs(path: Path, text: str, *, write: bool) -> bool:
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return False
    if write:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return True


if __name__ == "__main__":
    main()
