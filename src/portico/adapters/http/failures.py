"""What the log says of a creation that failed."""

import traceback

from portico.runtime.service import describe
from portico.utils.logging import get_logger

logger = get_logger(__name__)

_SHOWN_FRAMES = 20


def log_failed_creation(error: Exception, *, trigger: str, job_type: str | None, request_id: str | None) -> None:
    """Log where an error was raised, without its message if it is not one of Portico's, and without locals.

    Both may hold the payload.
    """
    logger.error(
        "webhook_job_creation_failed",
        trigger=trigger,
        job_type=job_type,
        error=describe(error),
        request_id=request_id,
        traceback="".join(traceback.format_tb(error.__traceback__, limit=-_SHOWN_FRAMES)),
    )
