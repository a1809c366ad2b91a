"""Commits, publishes, acks and calls exist only where the kit counts them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import shopkit
from shop import crashpoints

KIT = Path(shopkit.__file__).parent
SERVICES = KIT.parents[1]
NAMES = ("auth", "catalog", "orders", "payments", "storefront", "bank")
SOURCES = [path for name in NAMES for path in sorted((SERVICES / name / name).rglob("*.py"))]

# An effect by its method, and the one function of the kit that may cause it.
HOMES = {
    "commit": ("db.py", "transaction"),
    "publish": ("relay.py", "_publish"),
    "ack": ("consumer.py", "_deliver"),
    "call": ("client.py", "_once"),
}
# Ways around the kit, for a service: drivers, brokers and clients of its own.
DRIVERS = {
    "aiosqlite",
    "asyncpg",
    "nats",
    "sqlite3",
    "psycopg",
    "requests",
    "aiohttp",
    "urllib.request",
    "sqlalchemy.ext.asyncio",
    "sqlalchemy.orm",
    "shopkit.transport",
    "shopkit.relay",
    "shopkit.engines",
}
CLIENTS = {"AsyncClient", "Client", "create_engine", "create_async_engine", "begin", "begin_nested"}
EFFECTS = {"commit", "publish", "ack", "nak", "hand_back", "rollback"}


def calls(path: Path) -> Iterator[ast.Call]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def name_of(call: ast.Call) -> str:
    return getattr(call.func, "attr", getattr(call.func, "id", ""))


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def is_driver(module: str) -> bool:
    return any(module == driver or module.startswith(f"{driver}.") for driver in DRIVERS)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(SERVICES)))
def test_a_service_has_no_way_around_the_kit(path: Path) -> None:
    assert not {name_of(call) for call in calls(path)} & (CLIENTS | EFFECTS)
    assert not [module for module in imported(path) if is_driver(module)]


@pytest.mark.parametrize(("effect", "home"), HOMES.items())
def test_the_kit_causes_an_effect_in_one_place_between_its_points(
    effect: str, home: tuple[str, str]
) -> None:
    file, function = home
    tree = ast.parse((KIT / file).read_text(encoding="utf-8"))
    functions = [n for n in ast.walk(tree) if isinstance(n, ast.AsyncFunctionDef)]
    (body,) = (ast.unparse(node) for node in functions if node.name == function)
    assert f"'{effect}')" in body
    assert (
        ".points.around(" in body or body.count("_points.point(") == 2 or "_points.around" in body
    )


def test_no_other_place_of_the_kit_commits_or_acks() -> None:
    sources = [path for path in KIT.rglob("*.py") if "transport" not in path.parts]
    for effect in ("commit", "ack", "publish"):
        homes = {p.name for p in sources if effect in {name_of(call) for call in calls(p)}}
        assert homes == {HOMES[effect][0]}


def test_every_step_of_a_service_is_a_crash_point_or_said_to_be_beside_the_order() -> None:
    for name in NAMES:
        known = {
            step for steps in crashpoints.STEPS.get(name, {}).values() for step in steps.split()
        }
        beside = crashpoints.BESIDE.get(name, frozenset())
        sources = [path for path in SOURCES if path.parents[0].name == name]
        named = {step for path in sources for step in steps_in(path)}
        assert named <= known | beside, name
        assert not known & beside, name
        assert beside <= named, name


def steps_in(path: Path) -> Iterator[str]:
    """The steps that a service names itself; those of messages come from their types."""
    for call in calls(path):
        keywords = [k.value for k in call.keywords if k.arg == "operation"]
        yield from map(str, _texts([*keywords, *_named(call)]))


def _named(call: ast.Call) -> list[ast.expr]:
    match name_of(call):
        case "transaction" | "_post":
            return call.args[:1]
        case "_send":
            return call.args[1:2]
        case "run":  # of an idempotent request
            return call.args[:2]
        case _:
            return []


def _texts(nodes: list[ast.expr]) -> list[object]:
    values = [node.value for node in nodes if isinstance(node, ast.Constant)]
    return [value for value in values if isinstance(value, str) and value]
