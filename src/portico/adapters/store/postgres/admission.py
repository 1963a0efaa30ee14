"""Which of the jobs that are asked for are new: by id, by idempotency key, by unique key."""

import hashlib
from collections.abc import Awaitable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

from portico.adapters.job_checks import DEFAULT_MAX_PAYLOAD_BYTES, encoded_payload, key_of
from portico.adapters.job_store import with_fields
from portico.adapters.store.postgres.connections import Row
from portico.adapters.store.postgres.rows import stored_job, text
from portico.exceptions import DatabaseError
from portico.ports.job import Job, JobStatus
from portico.runtime.documents import encode

_ROUNDS = 10
_LONGEST_KEY = 500
_PLACE, _HOLDER, _HELD_STATUS = -3, -2, -1
_ID, _QUEUE, _UNIQUE_KEY, _IDEMPOTENCY_KEY = 0, 1, 8, 9
_NULLABLE = (False, False, False, False, False, True, False, True, True, True, False, False, True)
_NO_METADATA = "{}"


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

    __slots__ = ("job", "values")

    def __init__(self, job: Job, max_payload_bytes: int = DEFAULT_MAX_PAYLOAD_BYTES) -> None:
        self.job = job
        has_keys = bool(job.metadata)
        self.values = (
            job.id,
            text("queue_name", job.queue_name),
            text("job_type", job.job_type),
            job.priority,
            job.max_retries,
            job.scheduled_at,
            job.created_at,
            job.created_by,
            _key(job, "unique_key") if has_keys else None,
            _key(job, "idempotency_key") if has_keys else None,
            encoded_payload(job, max_payload_bytes),
            encode(job.metadata, "metadata") if has_keys else _NO_METADATA,
            _key(job, "partition_key") if has_keys else None,
        )

    @property
    def names(self) -> list[object]:
        """What no other job may be called."""
        queue_name, values = self.job.queue_name, self.values
        keys = ((column, queue_name, values[column]) for column in (_IDEMPOTENCY_KEY, _UNIQUE_KEY))
        return [self.job.id, *(key for key in keys if key[2] is not None)]


async def insert_quickly(statements: Statements, newcomers: Sequence[Newcomer], rules: AdmissionRules) -> bool:
    """Store all of them, or nothing where the short ways do not do: they see to no idempotency key."""
    if len(newcomers) == 1:
        return await _insert_alone(statements, newcomers[0].values, rules)
    if not _are_strangers([newcomer.values for newcomer in newcomers]):
        return False
    columns = _columns(newcomers)
    given = [*columns[:_UNIQUE_KEY], *columns[_IDEMPOTENCY_KEY + 1 :], rules.now, rules.commit_mode]
    return await _tells_true(statements, "job_enqueue_keyless", given)


async def _insert_alone(statements: Statements, values: Sequence[Any], rules: AdmissionRules) -> bool:
    if values[_IDEMPOTENCY_KEY] is not None:
        return False
    given = [*values[:_IDEMPOTENCY_KEY], *values[_IDEMPOTENCY_KEY + 1 :], rules.now, rules.commit_mode]
    return await _tells_true(statements, "job_enqueue_lone", given)


async def _tells_true(statements: Statements, name: str, given: Sequence[Any]) -> bool:
    rows = await statements.fetch(name, *given, is_repeatable=True)
    is_stored: bool = rows[0][0]
    return is_stored


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
    if _are_strangers([newcomers[place].values for place in asking]):
        return list(asking), {}
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


def _are_strangers(rows: Sequence[Sequence[Any]]) -> bool:
    """Tell, in little time, that no two of them can have a name in common."""
    has_keys = any(row[_UNIQUE_KEY] or row[_IDEMPOTENCY_KEY] for row in rows)
    return not has_keys and len({row[_ID] for row in rows}) == len(rows)


async def _store(statements: Statements, newcomers: dict[int, Newcomer], rules: AdmissionRules) -> dict[int, Job]:
    given = [*_columns(newcomers.values()), rules.now, rules.held_for, rules.commit_mode]
    rows = await statements.fetch("job_enqueue", *given, is_repeatable=True)
    refused = {row[0] for row in rows}
    answers = {place: n.job for place, n in newcomers.items() if n.job.id not in refused}
    if refused:
        answers |= await _holders(statements, {p: n for p, n in newcomers.items() if n.job.id in refused}, rules)
    return answers


def _columns(newcomers: Iterable[Newcomer]) -> list[Sequence[Any] | None]:
    columns = zip(*(newcomer.values for newcomer in newcomers), strict=True)
    return [_column(values, is_nullable=is_nullable) for values, is_nullable in zip(columns, _NULLABLE, strict=True)]


def _column(values: Sequence[Any], *, is_nullable: bool) -> Sequence[Any] | None:
    """Return what statements need of a column: what is the same for all they take once."""
    if values.count(values[0]) < len(values):
        return values
    if is_nullable:
        return values if values[0] is not None else None
    return values[:1]


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
        return with_fields(stored_job(row, asked.payload), is_duplicate=True)
    if row[_HELD_STATUS] is None:
        # its key was there, and it is gone: the next look will tell
        return None
    # its job went before more than this was kept
    return with_fields(asked, id=UUID(int=row[_HOLDER].int), status=JobStatus(row[_HELD_STATUS]), is_duplicate=True)


def _key(job: Job, name: str) -> str | None:
    key = key_of(job, name)
    if key is None:
        return None
    # an index takes no more than 2,700 bytes; the key itself is in the metadata
    return text(f"metadata['{name}']", key) if len(key) <= _LONGEST_KEY else f"sha256:{_digest(key)}"


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
