"""The bytes of a request, not too many and not too slowly."""

from collections.abc import Collection

from fastapi import Request
from starlette.requests import ClientDisconnect

from portico.adapters.http.compression import require_accepted, too_large
from portico.adapters.http.head import Head
from portico.adapters.http.problems import Refusal
from portico.runtime.deadlines import Deadlines

_MAX_LENGTH_DIGITS = 18
# the rest of the body is on its way and nobody will read it
_CLOSE = {"Connection": "close"}


async def read_body(
    request: Request, head: Head, *, max_bytes: int, deadlines: Deadlines, encodings: Collection[str] = ()
) -> bytes:
    """Return the body as it was sent.

    Raises:
        Refusal: 413 for more than `max_bytes` (unread where Content-Length says so), 415 for one that is compressed in
            another way than one of `encodings`, 408 when it is past its deadline, 400 where the caller went away.

    """
    require_accepted(head.only(b"content-encoding"), encodings)
    _refuse_announced_excess(head.get(b"content-length"), max_bytes)
    try:
        with deadlines.begin():
            body = await _read(request, max_bytes)
    except TimeoutError:
        raise Refusal(408, "Request body took too long", code="body_timeout", headers=_CLOSE) from None
    except ClientDisconnect:
        raise Refusal(400, "Request body ended early", code="body_incomplete", headers=_CLOSE) from None
    # the stream is at its end: whoever asks the request for its body (a dependency, an authentication) finds it here
    request._body = body  # noqa: SLF001 - where Starlette keeps a body that it has read
    return body


async def _read(request: Request, max_bytes: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while True:
        chunk, is_last = await _next_chunk(request)
        size += len(chunk)
        if size > max_bytes:
            raise too_large(max_bytes)
        chunks.append(chunk)
        if is_last:
            return b"".join(chunks)


async def _next_chunk(request: Request) -> tuple[bytes, bool]:
    """Return the next bytes of a body, and whether they are the last: without the generator that a stream is."""
    if (known := getattr(request, "_body", None)) is not None:
        return known, True
    message = await request.receive()
    if message["type"] == "http.disconnect":
        raise ClientDisconnect
    return message.get("body", b""), not message.get("more_body", False)


def _refuse_announced_excess(length: str | None, max_bytes: int) -> None:
    if length is None:
        return
    if not (length.isascii() and length.isdecimal()):
        raise Refusal(400, "Content-Length is not a number", code="invalid_content_length", headers=_CLOSE)
    if len(length) > _MAX_LENGTH_DIGITS or int(length) > max_bytes:
        raise too_large(max_bytes)
