"""Several services behind one port."""

from collections.abc import Mapping, Sequence

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from shopkit.app import Service
from shopkit.http import PROBES, probe_answer


class ByPath:
    """The service with the longest matching path answers; probes ask all of them."""

    def __init__(self, services: Sequence[Service]) -> None:
        self._probes = [service.probes for service in services]
        routes = [(path, service.app) for service in services for path in service.paths]
        self._routes = sorted(routes, key=lambda route: len(route[0]), reverse=True)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        ask = PROBES.get(scope.get("path", ""))
        if ask is None:
            return await self._app_for(scope["path"])(scope, receive, send)
        troubles = [trouble for probes in self._probes if (trouble := await ask(probes))]
        await probe_answer("; ".join(troubles))(scope, receive, send)

    def _app_for(self, path: str) -> ASGIApp:
        for prefix, app in self._routes:
            if path == prefix or path.startswith(prefix.rstrip("/") + "/"):
                return app
        return self._routes[-1][1]


class Under:
    """Each app under its own first path segment, which the app does not see."""

    def __init__(self, apps: Mapping[str, ASGIApp]) -> None:
        self._apps = apps

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        name, _, rest = scope["path"].lstrip("/").partition("/")
        app = self._apps.get(name)
        if app is None:
            known = ", ".join(f"/{name}/" for name in self._apps)
            nothing = PlainTextResponse(f"nothing here; try {known}", 404)
            return await nothing(scope, receive, send)
        await app({**scope, "path": f"/{rest}", "raw_path": f"/{rest}".encode()}, receive, send)
