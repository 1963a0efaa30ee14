"""How often a type of job may be asked for."""

from collections.abc import Callable

from portico.exceptions import ConfigurationError, RateLimitError
from portico.ports.job_creator import JobRequest
from portico.ports.rate_limiter import RateLimiter
from portico.runtime.intake.names import shown

_MINUTE_SECONDS = 60.0


class RateLimit:
    """At most `requests_per_minute` of a job type in any minute.

    Args:
        limiter: counts; several processes share a limit when they share its store.
        requests_per_minute: at least 1.
        key: names what is counted for a job type.

    """

    def __init__(self, limiter: RateLimiter, requests_per_minute: int, key: Callable[[str], str]) -> None:
        if isinstance(requests_per_minute, bool) or not isinstance(requests_per_minute, int) or requests_per_minute < 1:
            raise ConfigurationError(
                f"max_requests_per_minute must be an integer of at least 1, not {requests_per_minute!r}"
            )
        self._limiter = limiter
        self._requests_per_minute = requests_per_minute
        self._key = key

    async def __call__(self, request: JobRequest) -> JobRequest:
        """Refuse what is too much, saying when the next one passes."""
        decision = await self._limiter.acquire(self._key(request.job_type), self._requests_per_minute, _MINUTE_SECONDS)
        if not decision.allowed:
            raise RateLimitError(
                f"Rate limit exceeded for {shown(request.job_type)}",
                retry_after_seconds=decision.retry_after_seconds,
            )
        return request
