"""What a caller is told instead of a job: RFC 9457's problem details."""

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Self

from fastapi import HTTPException, Response

_TYPE = "urn:problem-type:webhook:"
_QUOTA_EXCEEDED = "https://iana.org/assignments/http-problem-types#quota-exceeded"
# what an application's own HTTPException is called, when it says no more than a status
_CODES = {
    400: "invalid_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    409: "conflict",
    429: "rate_limited",
    500: "job_creation_failed",
}


class Refusal(HTTPException):
    """An answer with a code for programs, and members beyond those that every problem has."""

    def __init__(
        self,
        status_code: int,
        detail: str,
        *,
        code: str,
        headers: Mapping[str, str] | None = None,
        members: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(status_code, detail, headers=None if headers is None else dict(headers))
        self.code = code
        self.members = dict(members or {})


class Told(Refusal):
    """An answer that is counted, logged and recorded already."""

    @classmethod
    def of(cls, refusal: Refusal) -> Self:
        """Return the same answer, as one that is told."""
        return cls(
            refusal.status_code, refusal.detail, code=refusal.code, headers=refusal.headers, members=refusal.members
        )


def problem(answer: HTTPException, request_id: str, fields: Mapping[str, str]) -> Response:
    """Return the answer as ``application/problem+json``, with the header fields of any answer."""
    code = answer.code if isinstance(answer, Refusal) else _CODES.get(answer.status_code, "refused")
    content = {
        "type": _QUOTA_EXCEEDED if code == "rate_limited" else _TYPE + code,
        "title": _title(answer.status_code),
        "status": answer.status_code,
        "detail": answer.detail,
        "code": code,
        "request_id": request_id,
        **(answer.members if isinstance(answer, Refusal) else {}),
    }
    headers = {**fields, **(answer.headers or {})}
    # ASCII only: a caller's odd characters stay escaped
    body = json.dumps(content).encode()
    return Response(body, answer.status_code, headers, media_type="application/problem+json")


def _title(status_code: int) -> str:
    try:
        return HTTPStatus(status_code).phrase
    except ValueError:
        return "Error"
