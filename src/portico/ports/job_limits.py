"""How many jobs may run at once, and how many may start in a while: for all workers on a store together."""

from dataclasses import dataclass, field

from portico.exceptions import ConfigurationError

_SHORTEST_WINDOW_SECONDS, _LONGEST_WINDOW_SECONDS = 0.001, 366 * 86_400.0


@dataclass(frozen=True)
class ConcurrencyLimit:
    """At most `max_running` of the jobs that it is about run at once, whoever runs them.

    About which jobs it is, each of the others narrows: no queue and no type is every job of the store. A job that finds
    no room waits in its old place and costs nothing; it burns no retry.

    Raises:
        ConfigurationError: a number is not positive, or a name is empty.

    """

    max_running: int
    queue_name: str | None = field(default=None, kw_only=True)
    job_type: str | None = field(default=None, kw_only=True)
    key: str | None = field(default=None, kw_only=True)
    """Each value at this place of the payload has a limit of its own: ``"customer.id"`` means
    ``payload["customer"]["id"]``. A job without it, or with None there, is not limited."""

    def __post_init__(self) -> None:
        _require_count("max_running", self.max_running)
        _require_names(self)


@dataclass(frozen=True)
class RateLimit:
    """At most `max_started` of the jobs that it is about are claimed in any `per_seconds`, by whomever.

    The window slides; it is between a millisecond and 366 days long. A run that is retried counts again. The other
    fields are those of `ConcurrencyLimit`.

    Raises:
        ConfigurationError: a number is out of its range, or a name is empty.

    """

    max_started: int
    per_seconds: float = field(default=1.0, kw_only=True)
    queue_name: str | None = field(default=None, kw_only=True)
    job_type: str | None = field(default=None, kw_only=True)
    key: str | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        _require_count("max_started", self.max_started)
        # written so that NaN is refused too
        if not _SHORTEST_WINDOW_SECONDS <= self.per_seconds <= _LONGEST_WINDOW_SECONDS:
            raise ConfigurationError(
                f"per_seconds must be between {_SHORTEST_WINDOW_SECONDS} and {_LONGEST_WINDOW_SECONDS:.0f} (366 days), "
                f"not {self.per_seconds!r}"
            )
        _require_names(self)


JobLimit = ConcurrencyLimit | RateLimit


def _require_count(name: str, value: object) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ConfigurationError(f"{name} must be a whole number of at least 1, not {value!r}")


def _require_names(limit: JobLimit) -> None:
    for name in ("queue_name", "job_type", "key"):
        value = getattr(limit, name)
        if value is not None and not (isinstance(value, str) and value):
            raise ConfigurationError(f"{name} of a limit must be a name or None, not {value!r}")
    if limit.key is not None and not all(limit.key.split(".")):
        raise ConfigurationError(f"key must be a place in the payload such as 'customer.id', not {limit.key!r}")
