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

    def _is_plain(self, scope: Scope) -> bool:
        # where another FastAPI writes it down differently nothing is left out
        if not (_FASTAPI and _INCLUSION) or scope["method"] not in (self.methods or ()):
            return False
        inclusion: Any = scope.get(_FASTAPI, {}).get(_INCLUSION)
        route = self if inclusion is None or inclusion.original_route is not self else inclusion
        return getattr(route, "max_body_size", None) is None and all(
            isinstance(dependency.call, DescribedSecurity) for dependency in route.dependant.dependencies
        )

    @override
    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        path = scope["path"]
        if path.endswith("/"):
            # the same place, so that nobody is redirected: providers do not follow, and Location would repeat the Host
            path = path.rstrip("/")
            scope = {**scope, "path": path}
        # the end of the path is cheaper to compare than its pattern; `path` has no parameters
        if "{" not in self.path and not path.endswith(self.path):
            return Match.NONE, {}
        return super().matches(scope)
