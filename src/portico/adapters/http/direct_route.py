"""A FastAPI route for an endpoint that reads its body and builds its answer itself."""

from typing import Any

from fastapi import Request, routing
from fastapi.routing import APIRoute
from starlette.routing import Match
from starlette.types import Receive, Scope, Send
from typing_extensions import override

from portico.adapters.http.described_security import DescribedSecurity

# where FastAPI writes down which inclusion of a route a request came by
_FASTAPI = getattr(routing, "_FASTAPI_SCOPE_KEY", "")
_INCLUSION = getattr(routing, "_FASTAPI_EFFECTIVE_ROUTE_CONTEXT_KEY", "")


class DirectRoute(APIRoute):
    """Calls its endpoint, ``async def endpoint(request: Request) -> Response``, without what FastAPI does around it.

    Slashes at the end of a path mean nothing.

    Unless somebody gave it dependencies, often the authentication, or a limit of the body's size, as
    ``include_router(dependencies=[...])`` does: then FastAPI sees to them first, as for any route.
    """

    @override
    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not self._is_plain(scope):
            await super().handle(scope, receive, send)
            return
        response = await self.endpoint(Request(scope, receive, send))
        await response(scope, receive, send)

    @override
    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        path = scope["path"]
        if path.endswith("/"):
            # the same place, so that nobody is redirected: providers do not follow, and Location would repeat the Host
            path = path.rstrip("/")
            scope = {**scope, "path": path}
        route = self._as_included(scope)
        if route is None or "{" in route.path_format or scope.get("root_path") or scope["type"] != "http":
            return super().matches(scope)
        # without parameters a path is compared at once: FastAPI asks twice about a route of an included router
        if path != route.path_format:
            return Match.NONE, {}
        match = Match.FULL if scope["method"] in route.methods else Match.PARTIAL
        return match, {"endpoint": self.endpoint, "path_params": dict(scope.get("path_params", {})), "route": self}

    def _is_plain(self, scope: Scope) -> bool:
        route = self._as_included(scope)
        return (
            route is not None
            and scope["method"] in route.methods
            and getattr(route, "max_body_size", None) is None
            and all(isinstance(dependency.call, DescribedSecurity) for dependency in route.dependant.dependencies)
        )

    def _as_included(self, scope: Scope) -> Any:
        """Return the route with what its inclusion adds; None where another FastAPI writes that down otherwise."""
        if not (_FASTAPI and _INCLUSION):
            return None
        inclusion = scope.get(_FASTAPI, {}).get(_INCLUSION)
        return self if inclusion is None or inclusion.original_route is not self else inclusion
