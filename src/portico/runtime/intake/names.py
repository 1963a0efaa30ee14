"""Names that a stranger chose: how long they may be, and how they are shown."""

from portico.exceptions import ValidationError
from portico.ports.job_creator import JobRequest

MAX_JOB_TYPE_LENGTH = 255
QUEUE_NAME = r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}"
"""What a queue may be called by those who choose it over HTTP."""

_MAX_SHOWN = 100


def shown(name: str) -> str:
    """Return the name as it is, or shortened and escaped where it is long or does not print."""
    cut = name if len(name) <= _MAX_SHOWN else f"{name[:_MAX_SHOWN]}..."
    return cut if cut.isprintable() else cut.encode("unicode_escape").decode("ascii")


async def require_job_type_of_sane_length(request: JobRequest) -> JobRequest:
    """Refuse a type that would be a burden as a key of limits and jobs; for lists that let every type pass."""
    if not 1 <= len(request.job_type) <= MAX_JOB_TYPE_LENGTH:
        raise ValidationError(f"Invalid request: job_type must have 1 to {MAX_JOB_TYPE_LENGTH} characters")
    return request
