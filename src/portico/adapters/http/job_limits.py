"""How many jobs of a type may be asked for, as a caller is told."""

from collections.abc import Callable, Mapping

from portico.adapters.http.answers import refusal
from portico.adapters.http.gate import limiter_unavailable
from portico.adapters.http.job_request import Call
from portico.adapters.http.webhook_config import WebhookConfig
from portico.adapters.store.memory.rate_limiter import MemoryRateLimiter
from portico.exceptions import DatabaseError, RateLimitError
from portico.ports.clock import Clock
from portico.ports.rate_limiter import RateLimiter
from portico.runtime.guarded_rate_limiter import GuardedRateLimiter
from portico.runtime.intake.rate_limit import RateLimit, require_allowed
from portico.runtime.quotas import Quota


class JobLimits:
    """The limits of a webhook's job types, and the limiter that counts for them.

    Args:
        config: the quotas by job type, whether callers see them, and what happens while nobody can count.
        quotas: over those of `config`.
        requests_per_minute: for types without a quota; None is unlimited.
        limiter: counts; None is this process alone, until it is told another.
        clock: the time.
        key: names what is counted for a job type.

    """

    def __init__(
        self,
        config: WebhookConfig,
        quotas: Mapping[str, str] | None,
        requests_per_minute: int | None,
        limiter: RateLimiter | None,
        *,
        clock: Clock,
        key: Callable[[str], str],
    ) -> None:
        self._clock = clock
        self._has_own_limiter = limiter is not None
        self.limiter = GuardedRateLimiter(
            limiter or self._local(), self._local, on_error=config.rate_limit_on_error, clock=clock
        )
        written = {**config.rate_limits, **(quotas or {})}
        parsed = {job_type: Quota.parse(text, f"rate_limits['{job_type}']") for job_type, text in written.items()}
        default = config.default_rate_limit
        self._limit = RateLimit(
            self.limiter,
            requests_per_minute,
            key,
            parsed,
            None if default is None else Quota.parse(default, "default_rate_limit"),
        )
        self._shows_fields = config.rate_limit_headers

    def count_with(self, limiter: RateLimiter) -> None:
        """Let an application's limiter count, where there is no own one."""
        if not self._has_own_limiter:
            self.limiter.count_with(limiter)

    def quota_of(self, job_type: str) -> Quota | None:
        """Return the quota of a job type, if it has one."""
        return self._limit.quota_of(job_type)

    async def take(self, job_type: str, call: Call) -> None:
        """Take one of a job type's quota, if it has one, and write on `call` what is left.

        Raises:
            Refusal: 429, there is none left; 503, nobody can count and that was chosen.

        """
        quota = self.quota_of(job_type)
        if quota is None:
            return
        try:
            decision = await self._limit.take(job_type, quota)
        except DatabaseError as error:
            raise limiter_unavailable() from error
        if self._shows_fields:
            call.quota = (quota, decision)
        try:
            require_allowed(job_type, decision)
        except RateLimitError as error:
            raise refusal(error) from error

    def _local(self) -> RateLimiter:
        return MemoryRateLimiter(clock=self._clock)
