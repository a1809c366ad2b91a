"""`python -m shop.openapi [--check]`: the HTTP contracts of all services, as files."""

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from shop.installation import Installation
from shop.services import Place, embedded
from shopkit.app import Service
from shopkit.errors import STATUS, TITLES, Slug

# services/contracts/openapi of the checkout that this file belongs to.
FOLDER = Path(__file__).resolve().parents[2] / "contracts" / "openapi"


def documents() -> Iterator[tuple[str, str]]:
    """File name and text; the version stays out, so that a release changes no contract."""
    with tempfile.TemporaryDirectory() as folder:
        for service in embedded(Place(8080, 9090, Path(folder)), Installation.new()):
            yield f"{service.name}.json", _document(service)


def _document(service: Service) -> str:
    document = service.app.openapi()
    document["info"] = {"title": service.name, "version": "1"}
    return json.dumps(_with_problems(document), indent=2, sort_keys=True) + "\n"


def _with_problems(document: dict[str, object]) -> dict[str, object]:
    """Every error is a problem+json; FastAPI would describe only its own, which none sends."""
    components = document.setdefault("components", {})
    assert isinstance(components, dict)
    schemas = components.setdefault("schemas", {})
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    schemas["Problem"] = _problem()
    for operation in _operations(document):
        operation["responses"].pop("422", None)
        operation["responses"]["default"] = _answer()
    return document


def _operations(document: dict[str, object]) -> Iterator[dict[str, dict[str, object]]]:
    paths = document.get("paths", {})
    assert isinstance(paths, dict)
    for path in paths.values():
        yield from path.values()


def _answer() -> dict[str, object]:
    schema = {"$ref": "#/components/schemas/Problem"}
    return {
        "description": "RFC 9457 problem details",
        "content": {"application/problem+json": {"schema": schema}},
    }


def _problem() -> dict[str, object]:
    text = {"type": "string"}
    return {
        "title": "Problem",
        "type": "object",
        "required": ["type", "title", "status", "detail", "trace_id"],
        "properties": {
            "type": text | {"enum": [f"urn:shop:problem:{slug}" for slug in Slug]},
            "title": text | {"enum": [TITLES[slug] for slug in Slug]},
            "status": {"type": "integer", "enum": sorted(set(STATUS.values()))},
            "detail": text,
            "trace_id": text,
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
