"""How often a type of job may be asked for."""

from collections.abc import Callable, Mapping

from portico.exceptions import ConfigurationError, RateLimitError
from portico.ports.job_creator import JobRequest
from portico.ports.rate_limiter import RateDecision, RateLimiter
from portico.runtime.intake.names import shown
from portico.runtime.quotas import Quota

_MINUTE_SECONDS = 60.0


class RateLimit:
    """At most so many of a job type in any window.

    Args:
        limiter: counts; several processes share a limit when they share its store.
        requests_per_minute: at least 1, for the types that `quotas` does not name; None is unlimited.
        key: names what is counted for a job type.
        quotas: by job type.
        default: for the types that `quotas` does not name, where there is no `requests_per_minute`.

    """

    def __init__(
        self,
        limiter: RateLimiter,
        requests_per_minute: int | None,
        key: Callable[[str], str],
        quotas: Mapping[str, Quota] | None = None,
        default: Quota | None = None,
    ) -> None:
        self._limiter = limiter
        self._default = default if requests_per_minute is None else _per_minute(requests_per_minute)
        self._key = key
        self._quotas = dict(quotas or {})

    async def __call__(self, request: JobRequest) -> JobRequest:
        """Refuse what is too much, saying when the next one passes."""
        quota = self.quota_of(request.job_type)
        if quota is not None:
            require_allowed(request.job_type, await self.take(request.job_type, quota))
        return request

    def quota_of(self, job_type: str) -> Quota | None:
        """Return what is allowed of a job type, or None for everything."""
        return self._quotas.get(job_type, self._default)

    async def take(self, job_type: str, quota: Quota) -> RateDecision:
        """Take one of the type's quota, if there is one left."""
        return await self._limiter.acquire(self._key(job_type), quota.limit, quota.window_seconds)


def require_allowed(job_type: str, decision: RateDecision) -> None:
    """Refuse what is too much.

    Raises:
        RateLimitError: says when the next one passes.

    """
    if not decision.allowed:
        raise RateLimitError(
            f"Rate limit exceeded for {shown(job_type)}", retry_after_seconds=decision.retry_after_seconds
        )


def _per_minute(requests: int) -> Quota:
    if isinstance(requests, bool) or not isinstance(requests, int) or requests < 1:
        raise ConfigurationError(f"max_requests_per_minute must be an integer of at least 1, not {requests!r}")
    return Quota(requests, _MINUTE_SECONDS)
