"""A schedule as a JSON document, for the trigger store."""

from dataclasses import fields
from datetime import date, datetime, timedelta
from typing import Any

from portico.runtime.schedule_checks import digest
from portico.runtime.schedule_config import ScheduleConfig

_INSTANTS = ("at", "start_at", "end_at")
_DURATIONS = ("catchup_window", "jitter")


def as_document(schedule: ScheduleConfig) -> dict[str, Any]:
    """Return the schedule as JSON values."""
    document = {each.name: getattr(schedule, each.name) for each in fields(schedule)}
    for name in _INSTANTS:
        document[name] = document[name] and document[name].isoformat()
    for name in _DURATIONS:
        document[name] = document[name].total_seconds()
    document["exclude"] = sorted(day.isoformat() for day in schedule.exclude)
    document["schedule_id"] = str(schedule.schedule_id)
    return document


def from_document(document: dict[str, Any]) -> ScheduleConfig:
    """Return the schedule; members that a later version added are left aside.

    Raises:
        ConfigurationError: this version, or its time zones, cannot make a schedule of it.

    """
    known = {each.name for each in fields(ScheduleConfig)}
    values = {name: value for name, value in document.items() if name in known}
    for name in _INSTANTS:
        values[name] = values.get(name) and datetime.fromisoformat(values[name])
    for name in _DURATIONS:
        values[name] = timedelta(seconds=values[name])
    values["exclude"] = [date.fromisoformat(day) for day in values["exclude"]]
    return ScheduleConfig(**values)


def fingerprint(schedule: ScheduleConfig) -> str:
    """Return the same text for schedules that are alike in every field."""
    return digest([as_document(schedule)])
