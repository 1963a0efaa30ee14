"""How a run ended, in the worker's words."""

import os
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pydantic

from portico.exceptions import PorticoError
from portico.kits.job.retry_policy import is_worth_retrying
from portico.ports.job import MAX_RESULT_BYTES, JobResult
from portico.runtime.documents import utf8_length
from portico.runtime.json_values import require_json_object
from portico.runtime.pydantic_errors import refusal_text

_MAX_MESSAGE_LENGTH = 1_000
_PACKAGE = f"{Path(__file__).parents[2]}{os.sep}"


class HandlerFailedError(PorticoError):
    """A handler failed without an error that could be told: it said so, exited, or cancelled itself."""


@dataclass(frozen=True)
class Success:
    """The handler did its work."""

    result: dict[str, Any] | None

    @property
    def is_storable(self) -> bool:
        """Whether the result is small enough to be kept with the job."""
        return self.result is None or utf8_length(self.result, "result") <= MAX_RESULT_BYTES


@dataclass(frozen=True)
class Failure:
    """The handler did not."""

    error: Exception
    is_worth_retrying: bool

    @property
    def message(self) -> str:
        """The class and message of the error, as it is stored and logged."""
        return _cleaned(f"{type(self.error).__name__}: {_text(self.error)}")

    @property
    def place(self) -> str | None:
        """The last line behind which it was raised that is not this package's, as ``file:line function``."""
        places = [(frame.f_code, line) for frame, line in traceback.walk_tb(self.error.__traceback__)]
        foreign = [(code, line) for code, line in places if not code.co_filename.startswith(_PACKAGE)]
        if not foreign:
            return None
        code, line = foreign[-1]
        return f"{code.co_filename}:{line} {code.co_name}"


Outcome = Success | Failure

_NO_RESULT = Success(None)


def outcome_of(result: object) -> Outcome:
    """Judge what a handler returned.

    Raises:
        ValidationError: the result is not JSON.
        TypeError: it is no `JobResult`.

    """
    if not isinstance(result, JobResult):
        message = f"the handler returned {type(result).__name__}, not a JobResult"
        raise TypeError(message)
    if result.success:
        if result.result_data == {}:
            return _NO_RESULT
        require_json_object(result.result_data, "result")
        return Success(result.result_data)
    error = result.error or HandlerFailedError("the handler reported no success")
    return Failure(error, is_worth_retrying(error, result))


def failure_of(error: BaseException) -> Failure:
    """Judge what a handler raised."""
    if isinstance(error, Exception):
        return Failure(error, is_worth_retrying(error))
    return Failure(HandlerFailedError(f"the handler raised {type(error).__name__}"), is_worth_retrying=True)


def _text(error: Exception) -> str:
    if isinstance(error, pydantic.ValidationError):
        # its own text repeats what it was given
        return refusal_text(error, error.title)
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - an error that cannot say what it is must not fail its job twice
        return "(no message)"


def _cleaned(text: str) -> str:
    # not every store can keep a NUL, none a lone surrogate
    return text[:_MAX_MESSAGE_LENGTH].replace("\0", "").encode("utf-8", "replace").decode()
