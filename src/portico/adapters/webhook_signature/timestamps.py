"""How old a signed request may be."""

import re
from datetime import datetime

from portico.adapters.webhook_signature.signed_request import SignatureError

DEFAULT_TOLERANCE_SECONDS = 300
_TIMESTAMP = re.compile(r"[1-9][0-9]{0,15}")


def require_fresh(timestamp: str, now: datetime, tolerance_seconds: int, *, per_second: int = 1) -> None:
    """Refuse a time that is not a plain number, or further off than the tolerance, either way.

    Raises:
        SignatureError: it is.

    """
    if not _TIMESTAMP.fullmatch(timestamp):
        raise SignatureError("timestamp_malformed")
    if abs(int(now.timestamp()) - int(timestamp) // per_second) > tolerance_seconds:
        raise SignatureError("timestamp_outside_tolerance")
