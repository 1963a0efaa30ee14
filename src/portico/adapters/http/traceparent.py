"""Which trace a request belongs to, as the W3C's Trace Context has it."""

import re

from portico.adapters.http.head import Head

_FIELD = b"traceparent"
# version, trace, parent and flags; zeros and the version ff mean nothing
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


def read_traceparent(head: Head) -> str | None:
    """Return the field; None where it is not there, twice or malformed, and the trace begins here."""
    value = head.get(_FIELD)
    if value is None or head.is_repeated(_FIELD) or not _TRACEPARENT.fullmatch(value):
        return None
    return value
