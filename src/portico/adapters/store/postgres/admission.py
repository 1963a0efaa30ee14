"""Which of the jobs that are asked for are new: by id, by idempotency key, by unique key."""

import hashlib
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

from portico.adapters.job_store import job_from, key_of, with_fields
from portico.adapters.store.postgres.rows import stored_job, text
from portico.adapters.store.postgres.store import Row
from portico.exceptions import DatabaseError
from portico.ports.job import Job, JobStatus
from portico.runtime.documents import encode

_ROUNDS = 10
_LONGEST_KEY = 500
_PLACE, _HOLDER, _HELD_STATUS = -3, -2, -1
_ID, _QUEUE, _UNIQUE_KEY, _IDEMPOTENCY_KEY = 0, 1, 8, 9


class Statements(Protocol):
    """What runs statements by name: the store, or a transaction of the caller's own."""

    def fetch(self, name: str, *values: Any, is_repeatable: bool = False) -> Awaitable[Sequence[Row]]:
        """Run the statement and return its rows."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmissionRules:
    """The time (None: the server's), how long keys are held, and whether the commit waits for the disk."""

    now: datetime | None
    held_for: timedelta
    commit_mode: str | None


class Newcomer:
    """A job that asks to be stored, as the values of a row."""

    __slots__ = ("job", "names", "values")

    def __init__(self, job: Job) -> None:
        unique_key = _key(job, "unique_key")
        idempotency_key = _key(job, "idempotency_key")
        queue_name = text("queue_name", job.queue_name)
        self.job = job
        self.values = (
            job.id,
            queue_name,
            text("job_type", job.job_type),
            job.priority,
            job.max_retries,
            job.scheduled_at,
            job.created_at,
            job.created_by,
            unique_key,
            idempotency_key,
            encode(job.payload, "payload"),
            encode(job.metadata, "metadata"),
        )
        self.names: tuple[object, ...] = (job.id,)
        if idempotency_key is not None:
            self.names += (("idempotency_key", queue_name, idempotency_key),)
        if unique_key is not None:
            self.names += (("unique_key", queue_name, unique_key),)


async def insert(statements: Statements, newcomers: Sequence[Newcomer], rules: AdmissionRules) -> list[Job]:
    """Store those that are new; answer each of the others with the job that was first.

    Who has an id or a key may end, or be forgotten, between the refusal and the look at it: then it is asked again.

    Raises:
        DatabaseError: that went on.

    """
    answers: dict[int, Job] = {}
    asking: Sequence[int] = range(len(newcomers))
    for _ in range(_ROUNDS):
        first, followers = _split(newcomers, asking)
        answers |= await _store(statements, {place: newcomers[place] for place in first}, rules)
        answers |= await _follow(statements, newcomers, followers, answers, rules)
        asking = [place for place in asking if place not in answers]
        if not asking:
            return [answers[place] for place in range(len(newcomers))]
    message = f"{len(asking)} jobs were not stored: who has their keys changed too often meanwhile; try again"
    raise DatabaseError(message)


def _split(newcomers: Sequence[Newcomer], asking: Sequence[int]) -> tuple[list[int], dict[int, int]]:
    """Return those that are first under all of their names, and the others with the one that is before them."""
    first: list[int] = []
    followers: dict[int, int] = {}
    named: dict[object, int] = {}
    for place in asking:
        names = newcomers[place].names
        leader = next((named[name] for name in names if name in named), None)
        if leader is not None:
            followers[place] = leader
            continue
        first.append(place)
        for name in names:
            named[name] = place
    return first, followers


async def _store(statements: Statements, newcomers: dict[int, Newcomer], rules: AdmissionRules) -> dict[int, Job]:
    columns: list[list[Any] | None] = [
        list(column) for column in zip(*(n.values for n in newcomers.values()), strict=True)
    ]
    if not any(columns[_IDEMPOTENCY_KEY] or ()):
        # spares the server the look at its keys
        columns[_IDEMPOTENCY_KEY] = None
    rows = await statements.fetch(
        "job_enqueue", *columns, rules.now, rules.held_for, rules.commit_mode, is_repeatable=True
    )
    refused = {row[0] for row in rows}
    answers = {place: job_from(n.job.__dict__) for place, n in newcomers.items() if n.job.id not in refused}
    if refused:
        answers |= await _holders(statements, {p: n for p, n in newcomers.items() if n.job.id in refused}, rules)
    return answers


async def _follow(
    statements: Statements,
    newcomers: Sequence[Newcomer],
    followers: dict[int, int],
    answers: dict[int, Job],
    rules: AdmissionRules,
) -> dict[int, Job]:
    """Answer who came behind another of the same batch: with that one, or with what that one ran into."""
    own = {
        place: with_fields(answers[leader], is_duplicate=True)
        for place, leader in followers.items()
        if leader in answers and not answers[leader].is_duplicate
    }
    others = {place: newcomers[place] for place in followers if place not in own}
    return own | await _holders(statements, others, rules) if others else own


async def _holders(statements: Statements, refused: dict[int, Newcomer], rules: AdmissionRules) -> dict[int, Job]:
    columns = list(zip(*(newcomer.values for newcomer in refused.values()), strict=True))
    asked = [columns[column] for column in (_ID, _QUEUE, _UNIQUE_KEY, _IDEMPOTENCY_KEY)]
    rows = await statements.fetch("job_holders", *asked, rules.now, rules.held_for, is_repeatable=True)
    places = list(refused)
    jobs = ((place := places[row[_PLACE] - 1], _duplicate(refused[place].job, row)) for row in rows)
    return {place: job for place, job in jobs if job is not None}


def _duplicate(asked: Job, row: Row) -> Job | None:
    if row[0] is not None:
        return with_fields(stored_job(row), is_duplicate=True)
    if row[_HELD_STATUS] is None:
        # its key was there, and it is gone: the next look will tell
        return None
    return with_fields(asked, id=UUID(int=row[_HOLDER].int), status=JobStatus(row[_HELD_STATUS]), is_duplicate=True)


def _key(job: Job, name: str) -> str | None:
    key = key_of(job, name)
    if key is None:
        return None
    # an index takes no more than 2,700 bytes; the key itself is in the metadata
    return text(f"metadata['{name}']", key) if len(key) <= _LONGEST_KEY else f"sha256:{_digest(key)}"


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
