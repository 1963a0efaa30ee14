"""The Idempotency-Key header, and what a repeated key means."""

import hashlib
import json
import re
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from portico.adapters.http.head import Head
from portico.adapters.http.problems import Refusal
from portico.ports.clock import Clock
from portico.ports.job import Job
from portico.ports.job_creator import JobRequest

# RFC 8941's string, or the bare token that most clients send
_QUOTED = re.compile(r'"((?:[^"\\]|\\["\\])*)"')
_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_REMEMBERED_SECONDS = 60.0
_MAX_REMEMBERED = 10_000
_IN_PROGRESS_RETRY_SECONDS = 1


def read_idempotency_key(head: Head) -> str | None:
    """Return the key, without the quotes it may stand in; None when the caller sent none.

    Raises:
        Refusal: 400 for several keys, or one that is not 1 to 255 visible ASCII characters.

    """
    value = head.get(b"idempotency-key")
    if value is None:
        return None
    key = _unquoted(value.strip())
    if head.is_repeated(b"idempotency-key") or not _KEY.fullmatch(key):
        message = "Idempotency-Key must be one value of 1 to 255 visible ASCII characters"
        raise Refusal(400, message, code="idempotency_key_invalid")
    return key


_Key = tuple[str, str]
"""A queue, and a key that is unique in it."""


@dataclass(frozen=True, slots=True)
class _First:
    fingerprint: str
    job: Job
    forget_at: float


class Replays:
    """Answers repeated requests of the last minute from memory, so that they cost nothing of a rate limit.

    The store decides about all others: it holds the key as long as the queue says. A key is its queue's own.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._firsts: OrderedDict[_Key, _First] = OrderedDict()
        self._under_way: set[_Key] = set()

    @contextmanager
    def under_way(self, request: JobRequest) -> Iterator[None]:
        """Mark the key of a request as being worked on.

        Raises:
            Refusal: 409, another request with the key is under way in this process.

        """
        key = _key_of(request)
        if key in self._under_way:
            message = "A request with this Idempotency-Key is under way"
            headers = {"Retry-After": str(_IN_PROGRESS_RETRY_SECONDS)}
            raise Refusal(409, message, code="idempotency_in_progress", headers=headers)
        self._under_way.add(key)
        try:
            yield
        finally:
            self._under_way.discard(key)

    def find(self, request: JobRequest) -> Job | None:
        """Return the first request's job, marked as a duplicate, or None when it is not remembered.

        Raises:
            Refusal: 422, the key came with another request.

        """
        self._forget_old()
        first = self._firsts.get(_key_of(request))
        if first is None:
            return None
        if first.fingerprint != _fingerprint(request):
            raise reused()
        return replace(first.job, payload=request.payload, is_duplicate=True)

    def remember(self, request: JobRequest, job: Job) -> None:
        """Keep what a request got, without its payload."""
        if job.is_duplicate:
            return
        forget_at = self._clock.monotonic() + _REMEMBERED_SECONDS
        self._firsts[_key_of(request)] = _First(_fingerprint(request), replace(job, payload={}), forget_at)
        if len(self._firsts) > _MAX_REMEMBERED:
            self._firsts.popitem(last=False)

    def _forget_old(self) -> None:
        now = self._clock.monotonic()
        while self._firsts and next(iter(self._firsts.values())).forget_at <= now:
            self._firsts.popitem(last=False)


def require_same(job: Job, request: JobRequest, sent: dict[str, Any]) -> None:
    """Compare a stored job with the request that got it for its key.

    Members that only a payload schema adds are not compared: they may be a time or a random id.

    Raises:
        Refusal: 422, the key came with another payload.

    """
    stored, asked = job.payload, request.payload
    if sent is not asked:
        stored, asked = ({name: value for name, value in each.items() if name in sent} for each in (stored, asked))
    if _canonical(stored) != _canonical(asked):
        raise reused()


def reused() -> Refusal:
    """Return the answer to a key that comes with another request than the first time."""
    return Refusal(422, "Idempotency-Key was used for another request", code="idempotency_key_reused")


def _key_of(request: JobRequest) -> _Key:
    return request.queue_name, request.metadata["idempotency_key"]


def _fingerprint(request: JobRequest) -> str:
    asked_for = [request.job_type, request.payload, request.priority]
    return hashlib.sha256(_canonical(asked_for).encode()).hexdigest()


def _canonical(value: Any) -> str:
    # as text: for Python 1, 1.0 and True are the same
    return json.dumps(value, sort_keys=True)


def _unquoted(value: str) -> str:
    if not value.startswith('"'):
        return value
    match = _QUOTED.fullmatch(value)
    # no key at all where the quotes do not fit
    return re.sub(r"\\(.)", r"\1", match[1]) if match else ""
