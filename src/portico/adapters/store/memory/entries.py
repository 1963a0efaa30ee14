"""Jobs in memory: what is kept of each, and the order of those that wait."""

import heapq
from collections import deque
from datetime import datetime
from typing import Any

from portico.adapters.job_checks import encoded_payload, key_of
from portico.adapters.job_slots import Slot
from portico.adapters.job_store import job_from
from portico.ports.job import Job, JobStatus
from portico.runtime.documents import decode, encode

_NO_DOCUMENT: dict[str, Any] = {}


class Entry:
    """A job and what the store keeps beside it.

    Documents are kept as text, so that nobody outside holds an object that is stored here. The other fields change in
    place: the fewer objects live as long as their job, the less there is for the garbage collector to walk.
    """

    __slots__ = (
        "_fields", "_metadata", "_payload", "_result", "id", "idempotency_key", "is_to_abort", "lease_expires_at",
        "partition_key", "place", "priority", "queue_name", "rank", "run_at", "seq", "slots", "token", "unique_key",
    )  # fmt: skip

    def __init__(self, job: Job, seq: int, run_at: datetime, max_payload_bytes: int) -> None:
        self.id = job.id
        self.queue_name = job.queue_name
        self.priority = job.priority
        self.seq = seq
        self.run_at = run_at
        self.idempotency_key = key_of(job, "idempotency_key")
        self.unique_key = key_of(job, "unique_key")
        self.partition_key = key_of(job, "partition_key")
        self.rank = 0
        """Where its partition's turns put it: see `Turns`."""
        self.slots: tuple[Slot, ...] | None = None
        """What it needs to run; None until a limit is looked at."""
        self.place = 0
        """Grows whenever the job moves; what a line holds under an older place is void."""
        self.token: int | None = None
        """What an answer to its run must show; None while it does not run."""
        self.is_to_abort = False
        """Somebody asked for the end of its run."""
        self.lease_expires_at = run_at
        self._payload = encoded_payload(job, max_payload_bytes)
        self._metadata = encode(job.metadata, "metadata") if job.metadata else "{}"
        self._result: str | None = None
        self._fields = _without_documents(job)

    @property
    def status(self) -> JobStatus:
        """Where the job stands."""
        status: JobStatus = self._fields["status"]
        return status

    @property
    def ended_at(self) -> datetime | None:
        """When the job completed or failed."""
        ended_at: datetime | None = self._fields["completed_at"] or self._fields["failed_at"]
        return ended_at

    @property
    def job(self) -> Job:
        """The job without its documents."""
        return job_from(self._fields)

    def begin(self, now: datetime) -> Job:
        """Note that the job was claimed, and return what `view` does."""
        self._fields["status"], self._fields["started_at"] = JobStatus.RUNNING, now
        return self.view()

    def complete(self, result: str | None, now: datetime) -> None:
        """Note that the job was done, and the text of what its handler returned."""
        self._result = result
        fields = self._fields
        fields["status"], fields["completed_at"], fields["error_message"] = JobStatus.COMPLETED, now, None

    def become(self, job: Job) -> None:
        """Keep what a transition made of the job; it leaves documents alone."""
        self._fields = _without_documents(job)

    def erase(self) -> None:
        """Drop what was in the job, and came of it."""
        self._payload, self._result = "{}", None

    def view(self, *, is_duplicate: bool = False) -> Job:
        """Return the job with documents of its own."""
        job = job_from(self._fields)
        fields = job.__dict__
        fields["payload"] = decode(self._payload)
        fields["metadata"] = {} if self._metadata == "{}" else decode(self._metadata)
        fields["result"] = None if self._result is None else decode(self._result)
        fields["is_duplicate"] = is_duplicate
        return job


def _without_documents(job: Job) -> dict[str, Any]:
    return {**job.__dict__, "payload": _NO_DOCUMENT, "metadata": _NO_DOCUMENT, "result": None}


Turn = tuple[int, int, int, int, Entry]
"""Priority (the highest first), rank among the partitions, order of creation, place; the smallest goes first."""


def turn_of(entry: Entry) -> Turn:
    """Return where the job stands in its line."""
    return (-entry.priority, entry.rank, entry.seq, entry.place, entry)


def take_turn(turns: list[Turn]) -> Entry | None:
    """Take the first of a heap of turns that is not void."""
    while turns:
        _, _, _, place, entry = heapq.heappop(turns)
        if entry.place == place:
            return entry
    return None


class WaitingLine:
    """The waiting jobs of one queue: those that are ready in their order, the others by time."""

    def __init__(self) -> None:
        # most come in the order in which they go, and to keep such a row costs less than a heap
        self._row: deque[Turn] = deque()
        self._ready: list[Turn] = []
        self._later: list[tuple[datetime, Turn]] = []

    def add(self, entry: Entry, now: datetime) -> None:
        """Put the job in line; `entry.place` must be new, or have left the line."""
        turn = turn_of(entry)
        if entry.run_at > now:
            heapq.heappush(self._later, (entry.run_at, turn))
        elif not self._row or turn > self._row[-1]:
            self._row.append(turn)
        else:
            heapq.heappush(self._ready, turn)

    def take(self, now: datetime) -> Entry | None:
        """Take the job whose turn it is, if one is ready."""
        while self._later and self._later[0][0] <= now:
            # a void one is found out when it is taken
            heapq.heappush(self._ready, heapq.heappop(self._later)[1])
        while (first := self._pop()) is not None:
            _, _, _, place, entry = first
            if entry.place == place:
                return entry
        return None

    @property
    def has_ready(self) -> bool:
        """Whether `take` may find something without time passing."""
        return bool(self._row or self._ready)

    def due_at(self) -> datetime | None:
        """Return when the next job gets ready by time alone."""
        while self._later and self._later[0][1][4].place != self._later[0][1][3]:
            heapq.heappop(self._later)
        return self._later[0][0] if self._later else None

    def _pop(self) -> Turn | None:
        if self._row and not (self._ready and self._ready[0] < self._row[0]):
            return self._row.popleft()
        return heapq.heappop(self._ready) if self._ready else None
