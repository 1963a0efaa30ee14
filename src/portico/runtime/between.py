"""A context without a state of its own."""

from collections.abc import Callable
from contextlib import AbstractContextManager

from typing_extensions import override


class Between(AbstractContextManager[None]):
    """Calls `begin` before and `end` after; what `contextmanager` does, for what happens with every request.

    It may be entered any number of times, also at once. When `begin` raises, `end` is not called.
    """

    __slots__ = ("_begin", "_end")

    def __init__(self, begin: Callable[[], None], end: Callable[[], None]) -> None:
        self._begin = begin
        self._end = end

    @override
    def __enter__(self) -> None:
        self._begin()

    @override
    def __exit__(self, *_error: object) -> None:
        self._end()
