"""What a delivery log may keep of a request's headers."""

import re
from functools import lru_cache

from portico.adapters.http.delivery_log import PATH
from portico.adapters.http.head import Head

_SECRET = re.compile(r"auth|cookie|signature|token|secret|passw|hmac|(?<!idempotency-)key")
_REDACTED = "[redacted]"


def kept_headers(head: Head, path: str) -> dict[str, str]:
    """Return the headers without secrets, and the path as ``:path``, as HTTP/2 names it."""
    kept = {name: _REDACTED if _is_secret(name) else value for name, value in head.items()}
    # last: a field of this name, which no server should let pass, must not choose where a replay goes
    kept[PATH] = path
    return kept


@lru_cache(maxsize=1_024)
def _is_secret(name: str) -> bool:
    return _SECRET.search(name) is not None
