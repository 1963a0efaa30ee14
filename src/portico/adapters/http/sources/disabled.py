"""The route of a source that is not enabled, where its senders are told so."""

from fastapi import APIRouter, Request, Response

from portico.adapters.http.answers import refused
from portico.adapters.http.calls import Calls
from portico.adapters.http.problems import Refusal
from portico.adapters.http.sources import openapi
from portico.adapters.http.sources.source_config import WebhookSource


class DisabledSource:
    """Tells whoever delivers never to come again: 410, unread."""

    def __init__(self, source: WebhookSource, calls: Calls) -> None:
        self._source = source
        self._calls = calls

    async def post(self, http_request: Request) -> Response:
        """Refuse a delivery."""
        gone = Refusal(410, "Source is disabled", code="source_disabled")
        return refused(gone, self._calls.of(http_request))

    def add_to(self, router: APIRouter) -> None:
        """Add what the provider calls."""
        name = self._source.name
        router.add_api_route(
            f"/sources/{name}",
            self.post,
            methods=["POST"],
            name=f"refuse_{name}",
            response_model=None,
            tags=["webhook sources"],
            **openapi.gone(self._source),
        )
