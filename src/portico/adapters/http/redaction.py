"""What a delivery log may keep of a request's headers."""

from collections.abc import Collection
from functools import lru_cache

from portico.adapters.http.authentication import Authenticator
from portico.adapters.http.delivery_log import PATH
from portico.adapters.http.head import Head
from portico.adapters.http.header_names import names_a_secret
from portico.adapters.http.webhook_config import WebhookConfig

_REDACTED = "[redacted]"


def kept_headers(head: Head, path: str, secrets: Collection[str] = ()) -> dict[str, str]:
    """Return the headers without secrets, and the path as ``:path``, as HTTP/2 names it.

    Args:
        head: all of them.
        path: where the request came to.
        secrets: headers that hold one, whatever they are called, in lower case.

    """
    kept: dict[str, str] = {}
    for field, value in head.items():
        name, is_secret = _shown(field)
        kept[name] = _REDACTED if is_secret else value.decode("latin-1")
    for secret in secrets:
        if secret in kept:
            kept[secret] = _REDACTED
    # last: a field of this name, which no server should let pass, must not choose where a replay goes
    kept[PATH] = path
    return kept


def secret_headers(config: WebhookConfig, *more: str) -> frozenset[str]:
    """Return the headers that a webhook's user chose for secrets, and may have called anything."""
    shown = [auth for auth in (config.auth, config.status_auth, config.admin_auth) if isinstance(auth, Authenticator)]
    return frozenset(name.lower() for name in (*config.redact_headers, *(auth.header for auth in shown), *more))


@lru_cache(maxsize=1_024)
def _shown(field: bytes) -> tuple[str, bool]:
    name = field.decode("latin-1")
    return name, names_a_secret(name)
