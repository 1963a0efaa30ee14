"""Which failures are tried again, and when."""

from dataclasses import dataclass

import pydantic

from portico.exceptions import ConfigurationError, ValidationError
from portico.ports.job import Job, JobResult
from portico.runtime.backoff import Backoff


@dataclass(frozen=True, kw_only=True)
class RetryPolicy:
    """The n-th retry (from 1) waits ``base_delay * 2**(n-1)`` seconds, at most `max_delay`.

    `jitter` takes up to that share off each delay (0 none, 1 all of it), so that what failed together does not come
    back together.
    """

    base_delay: float = 1.0
    max_delay: float = 3600.0
    jitter: float = 0.1

    def __post_init__(self) -> None:
        if not 0 <= self.base_delay <= self.max_delay:
            message = f"base_delay must be between 0 and max_delay ({self.max_delay}), not {self.base_delay}"
            raise ConfigurationError(message)
        if not 0 <= self.jitter <= 1:
            message = f"jitter must be between 0 and 1, not {self.jitter}"
            raise ConfigurationError(message)

    def delay_seconds(self, retry: int) -> float:
        """Return the wait before the `retry`-th retry, counted from 1."""
        backoff = Backoff(base_seconds=self.base_delay, cap_seconds=self.max_delay, jitter=self.jitter)
        return backoff.delay_seconds(retry)


def is_worth_retrying(error: Exception, result: JobResult | None = None) -> bool:
    """Tell whether another run could end better; input that is wrong stays wrong."""
    if result is not None and result.result_data.get("retry_recommended") is False:
        return False
    return not isinstance(error, ValidationError | pydantic.ValidationError)


def has_retries_left(job: Job) -> bool:
    """Tell whether the queue would make this running job RETRYING when it is rejected."""
    return job.retry_count < job.max_retries
