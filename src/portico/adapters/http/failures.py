"""What the log says of a failure that nobody expected."""

import traceback

from portico.runtime.service import describe
from portico.utils.logging import get_logger

logger = get_logger(__name__)

_SHOWN_FRAMES = 20


def log_failed_creation(error: Exception, *, trigger: str, job_type: str | None, request_id: str | None) -> None:
    """Log that a request got no job."""
    logger.error(
        "webhook_job_creation_failed", trigger=trigger, job_type=job_type, request_id=request_id, **_described(error)
    )


def log_failed_operation(error: Exception, *, trigger: str, path: str, request_id: str | None) -> None:
    """Log that an operator got no answer."""
    logger.error("webhook_operation_failed", trigger=trigger, path=path, request_id=request_id, **_described(error))


def _described(error: Exception) -> dict[str, str]:
    # without its message if it is not one of Portico's, and without locals: both may hold the payload
    places = traceback.format_tb(error.__traceback__, limit=-_SHOWN_FRAMES)
    return {"error": describe(error), "traceback": "".join(places)}
