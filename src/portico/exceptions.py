"""Every error that Portico raises on purpose.

::

    PorticoError                      the root; message, details, cause
    ├── ValidationError               the input is wrong and will stay wrong: never retried
    │   └── UnknownJobTypeError       also a ValueError: no handler is registered for the type
    ├── ConfigurationError            also a ValueError: refused when configured, before anything ran
    │   └── MissingExtraError         also an ImportError: an optional dependency is not installed
    ├── UnsupportedError              this adapter cannot do that
    ├── ConflictError                 somebody else holds what was asked for
    ├── ResourceNotFoundError         nothing with that name or id
    ├── RateLimitError                try again after ``retry_after_seconds``
    ├── ExternalServiceError          a broker, a server or a file system did not answer as it should
    │   └── DatabaseError             the store did
    ├── AuthenticationError           who are you?
    └── AuthorizationError            not you

The tree is the policy: a `ValidationError` is *rejected* (kept with its reason, its source acknowledged, never tried
again), everything else is *not accepted* (the source is not acknowledged and will deliver again).
"""

from collections.abc import Mapping
from typing import Any


class PorticoError(Exception):
    """The root of the tree.

    `message` names the thing and the way out, and never holds a secret; `details` are its facts as JSON values;
    `cause` is the error underneath, also set as ``__cause__``.
    """

    def __init__(
        self, message: str, details: Mapping[str, Any] | None = None, cause: BaseException | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.details: dict[str, Any] = dict(details or {})
        self.cause = cause
        if cause is not None:
            self.__cause__ = cause


class ValidationError(PorticoError):
    """The input is wrong, and would be wrong again: it is rejected, never retried."""


class UnknownJobTypeError(ValidationError, ValueError):
    """No handler is registered for this job type."""


class ConfigurationError(PorticoError, ValueError):
    """A setting was refused when it was made: a URL, a cron expression, a duplicate name."""


class MissingExtraError(ConfigurationError, ImportError):
    """An optional dependency is not installed; the message names the extra to install."""

    def __init__(self, feature: str, extra: str, cause: BaseException | None = None) -> None:
        message = f"{feature} needs the extra '{extra}': pip install 'portico-jobs[{extra}]'"
        super().__init__(message, details={"feature": feature, "extra": extra}, cause=cause)


class UnsupportedError(PorticoError):
    """The adapter cannot do what was asked; the message names the adapter and the capability."""


class ConflictError(PorticoError):
    """Somebody else holds what was asked for, or it changed in between."""


class ResourceNotFoundError(PorticoError):
    """There is nothing with that name or id."""


class RateLimitError(PorticoError):
    """Too many, too fast; the next one passes after `retry_after_seconds`."""

    def __init__(
        self,
        message: str,
        details: Mapping[str, Any] | None = None,
        cause: BaseException | None = None,
        *,
        retry_after_seconds: float = 0.0,
    ) -> None:
        super().__init__(message, details=details, cause=cause)
        self.retry_after_seconds = retry_after_seconds


class ExternalServiceError(PorticoError):
    """A server outside of this process did not answer, or not as it should."""


class DatabaseError(ExternalServiceError):
    """The store under a queue, a trigger store or an inbox failed: full disk, corrupt file, lost connection."""


class AuthenticationError(PorticoError):
    """The caller did not prove who it is."""


class AuthorizationError(PorticoError):
    """The caller is known, and not allowed."""
