"""Which of the jobs that are asked for are new: by id, by idempotency key, by unique key."""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from portico.adapters.job_checks import key_of
from portico.adapters.job_store import with_fields
from portico.adapters.store.sqlite import gone_jobs
from portico.adapters.store.sqlite.rows import ENDED, Row, job_from_row, new_row
from portico.adapters.store.sqlite.statements import chunks, statement
from portico.adapters.store.sqlite.turns import in_turn
from portico.ports.job import Job, JobStatus

_Name = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Newcomer:
    """A job that asks to be stored."""

    job: Job
    row: Row
    idempotency: _Name | None
    unique: _Name | None


@dataclass(frozen=True, slots=True)
class _Deleted:
    """The job that holds a key, when only the key is left of it."""

    job_id: UUID
    status: JobStatus


_Holder = UUID | _Deleted


def newcomer(job: Job, now: int, max_payload_bytes: int) -> Newcomer:
    """Prepare a job for `insert`, so that what is not JSON is refused before the transaction."""
    return Newcomer(job, new_row(job, now, max_payload_bytes), _name(job, "idempotency_key"), _name(job, "unique_key"))


def insert(connection: sqlite3.Connection, newcomers: Sequence[Newcomer], now: int, held_for: int) -> list[Job | None]:
    """Store those that are new; answer None for each of them, and the duplicate for each of the others."""
    ids = _existing_ids(connection, newcomers)
    keys = _held_keys(connection, newcomers, now, held_for)
    uniques = _held_uniques(connection, newcomers)
    admitted: list[Newcomer] = []
    holders: list[_Holder | None] = []
    for each in newcomers:
        holder = _holder(each, ids, keys, uniques)
        holders.append(holder)
        if holder is None:
            admitted.append(each)
            ids.add(each.job.id)
            if each.idempotency is not None:
                keys[each.idempotency] = each.job.id
            if each.unique is not None:
                uniques[each.unique] = each.job.id
    _store(connection, admitted)
    return _answers(connection, newcomers, holders)


def _holder(each: Newcomer, ids: set[UUID], keys: dict[_Name, _Holder], uniques: dict[_Name, UUID]) -> _Holder | None:
    if each.job.id in ids:
        return each.job.id
    if each.idempotency in keys:
        return keys[each.idempotency]
    return uniques.get(each.unique) if each.unique is not None else None


def _existing_ids(connection: sqlite3.Connection, newcomers: Sequence[Newcomer]) -> set[UUID]:
    found: set[UUID] = set()
    for chunk in chunks(newcomers):
        ids = [each.row[0] for each in chunk]
        rows = connection.execute(statement("job_select_ids", len(ids)), ids)
        found.update(UUID(bytes=row[0]) for row in rows)
    return found


def _held_keys(
    connection: sqlite3.Connection, newcomers: Sequence[Newcomer], now: int, held_for: int
) -> dict[_Name, _Holder]:
    names = {each.idempotency for each in newcomers if each.idempotency is not None}
    held: dict[_Name, _Holder] = {}
    for queue_name, key, job_id, status, expires_at, ended_at, state in _by_names(connection, "key_select", names):
        if state is None:
            if expires_at is not None and expires_at > now:
                held[queue_name, key] = _Deleted(UUID(bytes=job_id), JobStatus(status))
        elif state != ENDED or ended_at + held_for > now:
            held[queue_name, key] = UUID(bytes=job_id)
    return held


def _held_uniques(connection: sqlite3.Connection, newcomers: Sequence[Newcomer]) -> dict[_Name, UUID]:
    names = {each.unique for each in newcomers if each.unique is not None}
    rows = _by_names(connection, "unique_select", names)
    return {(queue_name, key): UUID(bytes=job_id) for queue_name, key, job_id in rows}


def _by_names(connection: sqlite3.Connection, name: str, names: Iterable[_Name]) -> list[Row]:
    rows: list[Row] = []
    for chunk in chunks(list(names)):
        values = [part for pair in chunk for part in pair]
        rows += connection.execute(statement(name, len(chunk)), values)
    return rows


def _store(connection: sqlite3.Connection, admitted: Sequence[Newcomer]) -> None:
    for rows in chunks(in_turn(connection, [each.row for each in admitted])):
        connection.execute(statement("job_insert", len(rows)), [value for row in rows for value in row])
    keyed = [(*each.idempotency, each.row[0]) for each in admitted if each.idempotency is not None]
    for keys in chunks(keyed):
        connection.execute(statement("key_hold", len(keys)), [value for key in keys for value in key])


def _answers(
    connection: sqlite3.Connection, newcomers: Sequence[Newcomer], holders: Sequence[_Holder | None]
) -> list[Job | None]:
    taken = {*holders} - {None}
    if not taken:
        return [None] * len(newcomers)
    stored: dict[UUID, Job] = {}
    for chunk in chunks([holder.bytes for holder in taken if isinstance(holder, UUID)]):
        for row in connection.execute(statement("job_select", len(chunk)), chunk):
            job = job_from_row(row)
            stored[job.id] = with_fields(job, is_duplicate=True)
    gone = gone_jobs.find(connection, [holder.job_id for holder in taken if isinstance(holder, _Deleted)])
    return [_answer(each, holder, stored, gone) for each, holder in zip(newcomers, holders, strict=True)]


def _answer(each: Newcomer, holder: _Holder | None, stored: Mapping[UUID, Job], gone: Mapping[UUID, Row]) -> Job | None:
    if holder is None:
        return None
    if isinstance(holder, UUID):
        return stored[holder]
    row = gone.get(holder.job_id)
    if row is None:
        # its job went before more than this was kept
        return with_fields(each.job, id=holder.job_id, status=holder.status, is_duplicate=True)
    return with_fields(gone_jobs.job_of(row, each.job.payload), is_duplicate=True)


def _name(job: Job, kind: str) -> _Name | None:
    key = key_of(job, kind)
    return None if key is None else (job.queue_name, key)
