"""Keys that make jobs unique, in memory."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from portico.adapters.job_store import with_fields
from portico.adapters.store.memory.entries import Entry
from portico.ports.job import Job, JobStatus

_Name = tuple[str, str]


@dataclass(frozen=True, slots=True)
class _Forgotten:
    """What is left of a job that is gone while its key is held; no payload where it was deleted on purpose."""

    entry: Entry
    is_erased: bool
    expires_at: datetime

    def duplicate(self, newcomer: Entry) -> Job:
        job = self.entry.view(is_duplicate=True)
        return with_fields(job, payload=newcomer.view().payload) if self.is_erased else job


class HeldKeys:
    """The idempotency keys and unique keys of all queues."""

    def __init__(self, idempotency_seconds: float) -> None:
        self._held_for = timedelta(seconds=idempotency_seconds)
        self._idempotency: dict[_Name, Entry | _Forgotten] = {}
        self._unique: dict[_Name, Entry] = {}

    def holder(self, newcomer: Entry, now: datetime) -> Callable[[], Job] | None:
        """Return what answers for a key of the newcomer that is held, as a duplicate, or None."""
        queue_name = newcomer.queue_name
        if newcomer.idempotency_key is not None:
            first = self._idempotency.get((queue_name, newcomer.idempotency_key))
            if isinstance(first, _Forgotten) and first.expires_at > now:
                return lambda: first.duplicate(newcomer)
            if isinstance(first, Entry) and not self._has_run_out(first, now):
                return lambda: first.view(is_duplicate=True)
        if newcomer.unique_key is not None:
            live = self._unique.get((queue_name, newcomer.unique_key))
            if live is not None and not live.status.is_final:
                return lambda: live.view(is_duplicate=True)
        return None

    def hold(self, entry: Entry) -> None:
        """The keys of this job are held from now on."""
        if entry.idempotency_key is not None:
            self._idempotency[entry.queue_name, entry.idempotency_key] = entry
        self.hold_unique(entry)

    def hold_unique(self, entry: Entry) -> None:
        """The unique key of this job is held while it is unfinished."""
        if entry.unique_key is not None:
            self._unique[entry.queue_name, entry.unique_key] = entry

    def unique_holder(self, entry: Entry) -> Entry | None:
        """Return another unfinished job that has the unique key of this one."""
        if entry.unique_key is None:
            return None
        live = self._unique.get((entry.queue_name, entry.unique_key))
        return None if live is None or live is entry or live.status.is_final else live

    def free_unique(self, entry: Entry) -> None:
        """The job ended: others may use its unique key."""
        if entry.unique_key is not None:
            name = (entry.queue_name, entry.unique_key)
            if self._unique.get(name) is entry:
                del self._unique[name]

    def outlive(self, entry: Entry, now: datetime, *, is_erased: bool) -> None:
        """The job is gone: its idempotency key stays held until its time is over."""
        self.free_unique(entry)
        if entry.idempotency_key is None:
            return
        name = (entry.queue_name, entry.idempotency_key)
        if self._idempotency.get(name) is entry:
            if not entry.status.is_final:
                entry.become(with_fields(entry.job, status=JobStatus.FAILED))
            if is_erased:
                entry.erase()
            self._idempotency[name] = _Forgotten(entry, is_erased, (entry.ended_at or now) + self._held_for)

    def forget_expired(self, now: datetime) -> None:
        """Drop the keys of deleted jobs whose time is over."""
        over = [
            name
            for name, first in self._idempotency.items()
            if isinstance(first, _Forgotten) and first.expires_at <= now
        ]
        for name in over:
            del self._idempotency[name]

    def _has_run_out(self, first: Entry, now: datetime) -> bool:
        ended_at = first.ended_at
        return first.status.is_final and ended_at is not None and ended_at + self._held_for <= now
