"""One reason to create the job of a schedule, and the job that is asked for then."""

import json
from copy import deepcopy
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import uuid4
from zlib import crc32
from zoneinfo import ZoneInfo

from portico.ports.job_creator import JobRequest
from portico.runtime.events import Event
from portico.runtime.schedule_config import ScheduleConfig
from portico.runtime.schedules import epoch_text

_CRC_VALUES = 2**32
_REMEMBERED = 256
_NEW = vars(JobRequest(job_type="", payload={}))


class Cause(StrEnum):
    """Why a job is created."""

    TICK = "tick"
    CATCH_UP = "catch_up"
    """A tick that was missed."""
    BACKFILL = "backfill"
    """A tick of the past that somebody asked for."""
    RUN_NOW = "run_now"
    """Somebody asked for the job; it is no tick."""


_MISSED = (Cause.CATCH_UP, Cause.BACKFILL)


class Occurrence(NamedTuple):
    """A tick, or a run that was asked for."""

    tick: datetime
    """Aware and in UTC."""
    name: str
    """What identifies it among those of its schedule."""
    cause: Cause

    def identity(self, schedule: ScheduleConfig) -> str:
        """Return what identifies it among all events of the trigger."""
        return f"{schedule.schedule_id}:{self.name}"

    def as_event(self, schedule: ScheduleConfig) -> Event:
        """Return it as the inbox keeps it."""
        return Event(source_id=self.identity(schedule), body=json.dumps(schedule.payload).encode())


@lru_cache(_REMEMBERED)
def tick_at(instant: datetime, cause: Cause = Cause.TICK) -> Occurrence:
    """Return the tick; the thousands of schedules that fire at one time share it."""
    return Occurrence(instant, epoch_text(instant), cause)


def run_asked_for(now: datetime) -> Occurrence:
    """Return a run that is like no other."""
    return Occurrence(now, f"run:{uuid4().hex}", Cause.RUN_NOW)


def job_request(schedule: ScheduleConfig, occurrence: Occurrence, *, key: str, unique_key: str | None) -> JobRequest:
    """Return the request for the job; `sent_at` says how late it is.

    `key` names the occurrence, `unique_key` a schedule that must not overlap.
    """
    utc, local = _texts(occurrence.tick, schedule.timezone)
    metadata: dict[str, Any] = {
        "idempotency_key": key,
        "schedule_id": str(schedule.schedule_id),
        "scheduled_for": utc,
        "scheduled_for_local": local,
        "catch_up": occurrence.cause in _MISSED,
    }
    if occurrence.cause is Cause.RUN_NOW:
        metadata["manual"] = True
    # back-filled jobs would keep each other out
    if unique_key is not None and occurrence.cause is not Cause.BACKFILL:
        metadata["unique_key"] = unique_key
    # what the constructor does, in half of its time: ticks come by the thousand
    request = object.__new__(JobRequest)
    request.__dict__.update(
        _NEW,
        job_type=schedule.job_type,
        payload=deepcopy(schedule.payload) if schedule.payload else {},
        queue_name=schedule.queue_name,
        priority=schedule.priority,
        scheduled_at=_delayed(schedule, occurrence) if schedule.jitter else None,
        metadata=metadata,
    )
    return request


def sent_at(now: datetime, occurrence: Occurrence, request: JobRequest) -> JobRequest:
    """Complete the request; that is all that is left to do where it was made ahead of its time."""
    request.metadata["lateness_seconds"] = _lateness_seconds(occurrence.tick, now)
    return request


# thousands of schedules fire at one time, in a few zones
@lru_cache(_REMEMBERED)
def _texts(tick: datetime, timezone: str) -> tuple[str, str]:
    return tick.astimezone(UTC).isoformat(), tick.astimezone(ZoneInfo(timezone)).isoformat()


@lru_cache(_REMEMBERED)
def _lateness_seconds(tick: datetime, now: datetime) -> float:
    return round((now - tick).total_seconds(), 3)


def _delayed(schedule: ScheduleConfig, occurrence: Occurrence) -> datetime | None:
    if occurrence.cause is Cause.RUN_NOW:
        return None
    # a checksum and no random number: every replica comes to the same time
    share = crc32(occurrence.identity(schedule).encode()) / _CRC_VALUES
    return occurrence.tick + schedule.jitter * share
