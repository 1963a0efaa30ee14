"""Each request has an id, by which its answer and the log are found."""

import re
from itertools import count
from secrets import token_hex

from fastapi import Request

from portico.adapters.http.head import first_value
from portico.adapters.http.job_request import Call

_HARMLESS = re.compile(r"[A-Za-z0-9._-]{1,128}")


class Calls:
    """Makes the calls of requests; their id is the caller's own where it is harmless, else a new one.

    Args:
        id_header: the field that callers send their id in, and find it in.

    """

    def __init__(self, id_header: str) -> None:
        self._id_header = id_header
        self._field = id_header.lower().encode()
        # one draw for all: what is unique is the counter behind it
        self._prefix = token_hex(6)
        self._numbers = count(1)

    def of(self, request: Request, *, is_stranger: bool = False) -> Call:
        """Return the call of a request of which nothing is known yet."""
        offered = first_value(request.scope["headers"], self._field)
        return Call(self._id(offered), request_id_header=self._id_header, is_stranger=is_stranger)

    def _id(self, offered: str | None) -> str:
        if offered is not None and _HARMLESS.fullmatch(offered):
            return offered
        return f"{self._prefix}-{next(self._numbers):x}"
