"""The requests for the jobs of ticks, made when they are due or ahead of that."""

from collections.abc import Callable
from datetime import datetime

from portico.ports.job import Job
from portico.ports.job_creator import JobRequest
from portico.runtime.schedule_config import ScheduleConfig
from portico.runtime.schedule_occurrences import Occurrence, job_request, sent_at
from portico.runtime.schedule_progress import Due


class TickRequests:
    """Those of one trigger; `key` makes a key of it out of a job type and what identifies an event."""

    def __init__(self, key: Callable[[str, str], str]) -> None:
        self._key = key

    def prepare(self, due: Due) -> None:
        """Make the request of a tick to come: at its time only its lateness will be missing."""
        due.progress.prepared = due.occurrence, self._made(due.schedule, due.occurrence)

    def for_tick(self, due: Due, now: datetime) -> JobRequest:
        """Return the request of a tick that is due; it is the prepared one, if that was for the same tick."""
        prepared, due.progress.prepared = due.progress.prepared, None
        if prepared is not None and prepared[0] == due.occurrence:
            return sent_at(now, due.occurrence, prepared[1])
        return self.for_occurrence(due.schedule, due.occurrence, now)

    def for_occurrence(self, schedule: ScheduleConfig, occurrence: Occurrence, now: datetime) -> JobRequest:
        """Return the request for an occurrence of the schedule."""
        return sent_at(now, occurrence, self._made(schedule, occurrence))

    def is_kept_out(self, schedule: ScheduleConfig, occurrence: Occurrence, job: Job) -> bool:
        """Tell whether the creation returned an unfinished job of another occurrence."""
        if schedule.overlap == "allow" or getattr(job, "is_duplicate", False) is not True:
            return False
        return job.metadata.get("idempotency_key") != self._key(schedule.job_type, occurrence.identity(schedule))

    def _made(self, schedule: ScheduleConfig, occurrence: Occurrence) -> JobRequest:
        return job_request(
            schedule,
            occurrence,
            key=self._key(schedule.job_type, occurrence.identity(schedule)),
            unique_key=None if schedule.overlap == "allow" else self._key(schedule.job_type, schedule.schedule_id),
        )
