"""A payload is JSON."""

import json

from portico.exceptions import ValidationError
from portico.ports.job_creator import JobRequest

_ENCODER = json.JSONEncoder(allow_nan=False)


async def require_json_payload(request: JobRequest) -> JobRequest:
    """Refuse what JSON cannot say; what came through `strict_json` passes."""
    try:
        _ENCODER.encode(request.payload)
    except (TypeError, ValueError, RecursionError):
        # not chained: the message of the encoder may repeat the payload
        raise ValidationError("Payload must be JSON-serializable") from None
    return request
