"""The route of a source that is not enabled, where its senders are told so."""

from fastapi import APIRouter, Request, Response

from portico.adapters.http.answers import answer_fields
from portico.adapters.http.head import RequestIds, first_value
from portico.adapters.http.job_request import Call
from portico.adapters.http.problems import Refusal, problem
from portico.adapters.http.sources import openapi
from portico.adapters.http.sources.source_config import WebhookSource


class DisabledSource:
    """Tells whoever delivers never to come again: 410, unread."""

    def __init__(self, source: WebhookSource, request_ids: RequestIds) -> None:
        self._source = source
        self._request_ids = request_ids

    async def post(self, http_request: Request) -> Response:
        """Refuse a delivery."""
        call = Call(self._request_ids.of(first_value(http_request.scope["headers"], b"x-request-id")))
        return problem(Refusal(410, "Source is disabled", code="source_disabled"), answer_fields(call))

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
