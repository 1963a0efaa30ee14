"""The routes of an application: how its triggers are, and whether FastAPI has them."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, is_dataclass
from typing import Any

from fastapi import APIRouter

from portico.ports.job_trigger import JobTrigger


def trigger_health_router(triggers: Mapping[str, JobTrigger]) -> APIRouter:
    """Return a router with ``GET /health/triggers``, for the triggers that are there when it is asked."""

    async def trigger_health() -> dict[str, Any]:
        """How every trigger is, by name."""
        return {name: _health_of(trigger) for name, trigger in triggers.items()}

    router = APIRouter()
    router.add_api_route("/health/triggers", trigger_health, tags=["health"])
    return router


def is_routed(routes: Sequence[Any], router: APIRouter) -> bool:
    """Tell whether `router` was included, directly, in another router, or in a mounted application."""
    endpoints = [getattr(route, "endpoint", None) for route in router.routes]
    return any(
        getattr(route, "original_router", None) is router
        or getattr(route, "endpoint", router) in endpoints
        or is_routed(_routes_under(route), router)
        for route in routes
    )


def _routes_under(route: Any) -> Sequence[Any]:
    for holder in (getattr(route, "original_router", None), getattr(route, "app", None)):
        if routes := getattr(holder, "routes", None):
            return list(routes)
    return ()


def _health_of(trigger: JobTrigger) -> Any:
    get_health = getattr(trigger, "get_health", None)
    health = {"is_running": trigger.is_running} if get_health is None else get_health()
    return asdict(health) if is_dataclass(health) and not isinstance(health, type) else health
