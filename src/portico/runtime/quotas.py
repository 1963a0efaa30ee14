"""How much of something is allowed, as it is written down: ``"100/minute"``."""

import re
from dataclasses import dataclass
from typing import Self

from portico.exceptions import ConfigurationError

_WRITTEN = re.compile(r"\s*(\d{1,9})\s*/\s*(\d{1,6})?\s*(second|minute|hour|day)s?\s*")
_SECONDS = {"second": 1.0, "minute": 60.0, "hour": 3_600.0, "day": 86_400.0}


@dataclass(frozen=True, slots=True)
class Quota:
    """At most `limit` in any `window_seconds`."""

    limit: int
    window_seconds: float

    @classmethod
    def parse(cls, text: str, field: str) -> Self:
        """Read ``"100/minute"``, ``"5/10 seconds"``; units are second, minute, hour and day.

        Raises:
            ConfigurationError: names `field` and the text.

        """
        match = _WRITTEN.fullmatch(text) if isinstance(text, str) else None
        if match is None or int(match[1]) < 1 or int(match[2] or 1) < 1:
            raise ConfigurationError(f"{field} must be a quota such as '100/minute', not {text!r}")
        return cls(int(match[1]), int(match[2] or 1) * _SECONDS[match[3]])
