"""The scripts that the chart ships for Argo CD, run as Argo CD runs them: Lua 5.1, next to bare."""

from pathlib import Path
from typing import Any

from lupa.lua51 import LuaRuntime, lua_type  # type: ignore[import-untyped]

FOLDER = Path(__file__).parents[1] / "charts/microservice-operator/files/argocd"
# Argo CD leaves date and time of `os`, and that to actions alone.
BARE = "io, package, debug, require, string, table, math, coroutine = nil"
WITHOUT_OS, WITH_CLOCK = f"os, {BARE}", f"os = {{date = os.date, time = os.time}}; {BARE}"
Object = dict[str, Any]


def health(obj: Object) -> str:
    """Healthy, Progressing, Degraded or Suspended."""
    told = _run("health.lua", obj, WITHOUT_OS)
    assert told.keys() == {"status", "message"}
    assert isinstance(told["message"], str)
    return str(told["status"])


def actions(obj: Object) -> dict[str, bool]:
    """What is offered, and whether it can be clicked."""
    offered = _run("actions/discovery.lua", obj, WITH_CLOCK)
    return {name: not action["disabled"] for name, action in offered.items()}


def act(name: str, obj: Object) -> Object:
    """The object as Argo CD would patch it."""
    return _run(f"actions/{name}.lua", obj, WITH_CLOCK)


def _run(script: str, obj: Object, confine: str) -> Object:
    lua = LuaRuntime(unpack_returned_tuples=True, register_eval=False)
    lua.execute(confine)
    lua.globals().obj = lua.table_from(obj, recursive=True)
    result: Object = _plain(lua.execute((FOLDER / script).read_text()))
    return result


def _plain(value: Any) -> Any:
    if lua_type(value) != "table":
        return value
    if len(value):
        return [_plain(item) for item in value.values()]
    return {key: _plain(item) for key, item in value.items()}
