"""The Idempotency-Key header."""

import re

from fastapi import HTTPException, Request

# RFC 8941's string, or the bare token that most clients send
_QUOTED = re.compile(r'"((?:[^"\\]|\\["\\])*)"')
_KEY = re.compile(r"[\x21-\x7e]{1,255}")


def read_idempotency_key(request: Request) -> str | None:
    """Return the key, without the quotes it may stand in; None when the caller sent none.

    Raises:
        HTTPException: 400 for several keys, or one that is not 1 to 255 visible ASCII characters.

    """
    values = request.headers.getlist("idempotency-key")
    if not values:
        return None
    key = _unquoted(values[0].strip())
    if len(values) > 1 or not _KEY.fullmatch(key):
        raise HTTPException(400, "Idempotency-Key must be one value of 1 to 255 visible ASCII characters")
    return key


def _unquoted(value: str) -> str:
    match = _QUOTED.fullmatch(value)
    return re.sub(r"\\(.)", r"\1", match[1]) if match else value
