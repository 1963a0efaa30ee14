"""How webhooks are configured."""

import re
from collections.abc import Collection
from dataclasses import dataclass

from portico.exceptions import ConfigurationError

_PREFIX = re.compile(r"(/[^/{}?#\s]+)*")


@dataclass(frozen=True, kw_only=True)
class WebhookConfig:
    """Where a `WebhookTrigger` listens and what it lets in.

    Args:
        prefix: the path before ``/jobs``; begins with a slash and does not end with one, or is empty.
        allowed_job_types: the types that may be asked for; None or empty allows every type, and warns at start.
        max_body_bytes: larger bodies are answered with 413.
        body_timeout_seconds: bodies that take longer are answered with 408.

    Raises:
        ConfigurationError: names the field and its value.

    """

    prefix: str = "/webhooks"
    allowed_job_types: Collection[str] | None = None
    max_body_bytes: int = 1_048_576
    body_timeout_seconds: float = 10.0

    def __post_init__(self) -> None:
        if not _PREFIX.fullmatch(self.prefix):
            raise ConfigurationError(
                f"prefix must be a path such as '/webhooks', without a slash at its end, not {self.prefix!r}"
            )
        if isinstance(self.allowed_job_types, str):
            raise ConfigurationError(f"allowed_job_types must be a list of job types, not {self.allowed_job_types!r}")
        for name in ("max_body_bytes", "body_timeout_seconds"):
            if not getattr(self, name) > 0:
                raise ConfigurationError(f"{name} must be more than 0, not {getattr(self, name)!r}")
