"""Compressed bodies, where they are let in."""

import asyncio
import zlib
from collections.abc import Collection

from portico.adapters.http.problems import Refusal
from portico.exceptions import ValidationError

_WINDOW_BITS = {"gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}
CONTENT_ENCODINGS = frozenset(_WINDOW_BITS)
"""What can be decompressed."""


def require_accepted(declared: str | None, accepted: Collection[str]) -> None:
    """Refuse a body that is compressed in another way than is accepted.

    Raises:
        Refusal: 415, with what is accepted.

    """
    if declared is not None and _name(declared) not in {"", "identity", *accepted}:
        raise Refusal(
            415,
            "Content-Encoding is not supported",
            code="unsupported_content_encoding",
            headers={"Accept-Encoding": ", ".join(accepted) or "identity"},
        )


async def decompressed(body: bytes, declared: str | None, *, max_bytes: int) -> bytes:
    """Return what the body was before it was compressed as `declared`; never more than `max_bytes` are in memory.

    Raises:
        Refusal: 413, it was more.
        ValidationError: it is not compressed so, ends early, or something follows it.

    """
    window_bits = None if declared is None else _WINDOW_BITS.get(_name(declared))
    if window_bits is None:
        return body
    # a few bytes may become very many: not on the loop
    return await asyncio.to_thread(_inflate, body, window_bits, max_bytes)


def too_large(max_bytes: int) -> Refusal:
    """Return the answer to a body that is too large; the connection ends, for the rest of it may be on its way."""
    message = f"Request body is larger than {max_bytes} bytes"
    return Refusal(413, message, code="body_too_large", headers={"Connection": "close"}, members={"limit": max_bytes})


def _inflate(body: bytes, window_bits: int, max_bytes: int) -> bytes:
    decompressor = zlib.decompressobj(window_bits)
    try:
        inflated = decompressor.decompress(body, max_bytes + 1)
    except zlib.error:
        raise _not_compressed() from None
    if len(inflated) > max_bytes:
        raise too_large(max_bytes)
    if not decompressor.eof or decompressor.unused_data:
        raise _not_compressed()
    return inflated


def _not_compressed() -> ValidationError:
    message = "Request body is not compressed as Content-Encoding says"
    return ValidationError(message, details={"code": "invalid_content_encoding"})


def _name(declared: str) -> str:
    return declared.strip().lower()
