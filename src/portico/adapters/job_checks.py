"""What every store can hold of a job; the rest is refused before a store sees it."""

from collections.abc import Mapping
from typing import Any

from portico.exceptions import ValidationError
from portico.ports.job import MAX_RESULT_BYTES, Job
from portico.runtime.documents import encode, utf8_length

DEFAULT_MAX_PAYLOAD_BYTES = 1_048_576
# a character may take a surrogate pair of six bytes each; a member has two quotes or brackets, a colon or comma
_ESCAPED, _PUNCTUATION, _LONGEST_NUMBER = 12, 4, 5_000
_NUMBERS = frozenset({int, float, bool, type(None)})
_SIGNED_64_BITS = range(-(2**63), 2**63)


def checked(job: Job) -> Job:
    """Return the job, or refuse what not every store can hold; `encoded_payload` sees to the payload.

    Raises:
        ValidationError: the field is named; its value is not.

    """
    for name in ("priority", "max_retries"):
        if getattr(job, name) not in _SIGNED_64_BITS:
            raise ValidationError(f"{name} must be a whole number of at most 64 bits")
    _checked_text("queue_name", job.queue_name)
    _checked_text("job_type", job.job_type)
    return job


def key_of(job: Job, name: str) -> str | None:
    """Return the job's `idempotency_key`, `unique_key` or `partition_key`; an empty one is none.

    Raises:
        ValidationError: it is not text.

    """
    key = job.metadata.get(name)
    if key is None or key == "":
        return None
    if not isinstance(key, str):
        raise ValidationError(f"metadata['{name}'] must be text, not {type(key).__name__}")
    return _checked_text(f"metadata['{name}']", key)


def encoded_payload(job: Job, max_bytes: int = DEFAULT_MAX_PAYLOAD_BYTES) -> str:
    """Return the payload as stores keep it.

    Raises:
        ValidationError: it is too long, or not JSON.

    """
    text = encode(job.payload, "payload")
    # a character is a byte: documents are ASCII
    if len(text) > max_bytes:
        raise ValidationError(
            f"payload is {len(text):,} bytes of JSON, and at most {max_bytes:,} are taken: keep it elsewhere and name "
            "it, or raise max_payload_bytes",
            details={"bytes": len(text), "max_payload_bytes": max_bytes},
        )
    return text


def check_result(result: dict[str, Any] | None) -> None:
    """Refuse the result of a handler that is too long to be kept with its job.

    Raises:
        ValidationError: it is, or it is not JSON.

    """
    if result is None or _is_surely_shorter(result, MAX_RESULT_BYTES):
        return
    length = utf8_length(result, "result")
    if length > MAX_RESULT_BYTES:
        raise ValidationError(
            f"result is {length:,} bytes of JSON, and at most {MAX_RESULT_BYTES:,} are kept: "
            "keep it elsewhere and name it",
            details={"bytes": length, "max_result_bytes": MAX_RESULT_BYTES},
        )


def _is_surely_shorter(result: Mapping[str, Any], max_bytes: int) -> bool:
    """Tell without encoding it, as far as that is quicker: how long it is at most is added up."""
    left = max_bytes - _PUNCTUATION
    waiting = [*result, *result.values()]
    for each in waiting:
        kind = type(each)
        if kind is str:
            left -= _ESCAPED * len(each) + _PUNCTUATION
        elif kind in _NUMBERS:
            left -= _LONGEST_NUMBER
        elif kind is dict or kind is list:
            left -= _ESCAPED * len(each) + _PUNCTUATION
            waiting += each if kind is list else [*each, *each.values()]
        else:
            return False
        if left < 0:
            break
    return left >= 0


def _checked_text(name: str, text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValidationError(f"{name} has characters that are no Unicode text", cause=error) from error
    return text
