"""Which limits a job comes under: a slot of each must be free before it runs."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from portico.exceptions import ConfigurationError
from portico.ports.job import Job
from portico.ports.job_limits import ConcurrencyLimit, JobLimit

_LONGEST_NAME = 200
_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode


@dataclass(frozen=True, slots=True)
class Slot:
    """One count that a claim adds to: `size` at most at once, or in any window."""

    name: str
    """The same for the same jobs in every process, whatever `size` it was given."""
    size: int
    window_seconds: float | None
    """How long a start is counted; None: as long as the job runs."""


class SlotRules:
    """The limits of a queue adapter, as questions that a store asks."""

    def __init__(self, limits: Sequence[JobLimit]) -> None:
        self._limits = tuple(limits)

    def concern(self, queue_name: str) -> bool:
        """Tell whether a job of the queue can come under a limit at all; most claims need not look further."""
        return any(limit.queue_name in (None, queue_name) for limit in self._limits)

    def slots_of(self, job: Job) -> tuple[Slot, ...]:
        """Return the slots that must all be free for the job to run; none for one without limits."""
        applying = (limit for limit in self._limits if _is_about(limit, job))
        return tuple(slot for limit in applying if (slot := _slot(limit, job.payload)) is not None)


def checked_limits(limits: Sequence[JobLimit]) -> tuple[JobLimit, ...]:
    """Return the limits of a configuration.

    Raises:
        ConfigurationError: something else is among them, or two count the same jobs.

    """
    if isinstance(limits, JobLimit):
        raise ConfigurationError("limits must be a list of limits, not one")
    scopes: set[JobLimit] = set()
    for limit in limits:
        if not isinstance(limit, JobLimit):
            raise ConfigurationError(
                f"limits must be ConcurrencyLimit and RateLimit objects, not {type(limit).__name__}"
            )
        scope = _with_any_size(limit)
        if scope in scopes:
            raise ConfigurationError(f"two limits count the same jobs; keep one: {limit}")
        scopes.add(scope)
    return tuple(limits)


def _with_any_size(limit: JobLimit) -> JobLimit:
    if isinstance(limit, ConcurrencyLimit):
        return replace(limit, max_running=1)
    return replace(limit, max_started=1)


def _is_about(limit: JobLimit, job: Job) -> bool:
    return limit.queue_name in (None, job.queue_name) and limit.job_type in (None, job.job_type)


def _slot(limit: JobLimit, payload: dict[str, Any]) -> Slot | None:
    value = None
    if limit.key is not None:
        value = _value_at(payload, limit.key)
        if value is None:
            return None
    parts = [limit.queue_name, limit.job_type, limit.key, value]
    if isinstance(limit, ConcurrencyLimit):
        return Slot(_name("running", parts), limit.max_running, None)
    return Slot(_name("started", [*parts, float(limit.per_seconds)]), limit.max_started, float(limit.per_seconds))


def _value_at(payload: dict[str, Any], key: str) -> Any:
    value: Any = payload
    for part in key.split("."):
        if not isinstance(value, dict):
            return None
        value = value.get(part)
    return value


def _name(kind: str, parts: Sequence[Any]) -> str:
    name = _encode([kind, *parts])
    if len(name) <= _LONGEST_NAME:
        return name
    return f"{kind}:{hashlib.sha256(name.encode()).hexdigest()}"
