"""Bodies that are JSON."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from portico.runtime.intake.strict_json import StrictJson

Decode = Callable[[bytes], Awaitable[Any]]
"""Returns the value of a body, or raises a `ValidationError` that names the rule and never the content."""

_DECODED_ON_THE_LOOP_BYTES = 65_536


class JsonBodies:
    """Reads bodies; large ones do not hold the loop up."""

    def __init__(self, strict_json: StrictJson) -> None:
        self._json = strict_json

    async def decode(self, body: bytes) -> Any:
        """Return the value of a body.

        Raises:
            ValidationError: the body is not strict JSON.

        """
        if len(body) <= _DECODED_ON_THE_LOOP_BYTES:
            return self._json.decode(body)
        return await asyncio.to_thread(self._json.decode, body)
