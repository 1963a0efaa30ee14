"""A FastAPI route for an endpoint that reads its body and builds its answer itself."""

import inspect
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.routing import Match
from starlette.types import Scope
from typing_extensions import override

from portico.adapters.http.described_security import DescribedSecurity


class DirectRoute(APIRoute):
    """Calls its endpoint, ``async def endpoint(request: Request) -> Response``, without what FastAPI does around it.

    Slashes at the end of a path mean nothing.

    Unless somebody gave it dependencies, often the authentication, as ``include_router(dependencies=[...])`` does:
    then FastAPI solves them first, as for any route.
    """

    @override
    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()
        # what the handler will solve: FastAPI builds one for each inclusion, with that inclusion's dependencies
        dependant = inspect.getclosurevars(handler).nonlocals.get("dependant")
        # not found where another FastAPI, or an instrumentation, builds it differently: then nothing is left out
        is_plain = dependant is not None and all(
            isinstance(dependency.call, DescribedSecurity) for dependency in dependant.dependencies
        )
        return self.endpoint if is_plain else handler

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
