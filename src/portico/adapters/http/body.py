"""The bytes of a request, not too many and not too slowly."""

import asyncio

from fastapi import HTTPException, Request
from starlette.requests import ClientDisconnect

_MAX_LENGTH_DIGITS = 18
# the rest of the body is on its way and nobody will read it
_CLOSE = {"Connection": "close"}


async def read_body(request: Request, *, max_bytes: int, timeout_seconds: float) -> bytes:
    """Return the body as it was sent.

    Raises:
        HTTPException: 413 for more than `max_bytes` (unread where Content-Length says so), 415 for a compressed one,
            408 after `timeout_seconds`, 400 where the caller went away.

    """
    _refuse_compressed(request)
    _refuse_announced_excess(request, max_bytes)
    try:
        async with asyncio.timeout(timeout_seconds):
            return await _read(request, max_bytes)
    except TimeoutError:
        raise HTTPException(408, "Request body took too long", headers=_CLOSE) from None
    except ClientDisconnect:
        raise HTTPException(400, "Request body ended early", headers=_CLOSE) from None


async def _read(request: Request, max_bytes: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > max_bytes:
            raise _too_large(max_bytes)
        chunks.append(chunk)
    return b"".join(chunks)


def _refuse_compressed(request: Request) -> None:
    encoding = request.headers.get("content-encoding", "identity")
    if encoding.strip().lower() not in {"", "identity"}:
        raise HTTPException(415, "Content-Encoding is not supported", headers={"Accept-Encoding": "identity"})


def _refuse_announced_excess(request: Request, max_bytes: int) -> None:
    length = request.headers.get("content-length")
    if length is None:
        return
    if not (length.isascii() and length.isdecimal()):
        raise HTTPException(400, "Content-Length is not a number", headers=_CLOSE)
    if len(length) > _MAX_LENGTH_DIGITS or int(length) > max_bytes:
        raise _too_large(max_bytes)


def _too_large(max_bytes: int) -> HTTPException:
    return HTTPException(413, f"Request body is larger than {max_bytes} bytes", headers=_CLOSE)
