"""Claiming, as a plain function of a connection; it runs inside one transaction of the writer."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from portico.adapters.job_slots import SlotRules
from portico.adapters.store.sqlite import slots
from portico.adapters.store.sqlite.job_operations import Queues, give_back
from portico.adapters.store.sqlite.rows import PRIORITY, RANK, SEQ, Row
from portico.adapters.store.sqlite.statements import chunks, statement


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimRequest:
    """What a claim asks for; times in microseconds."""

    queue_name: str
    limit: int
    now: int
    lease_end: int
    token: int
    session: str
    max_crashes: int
    rules: SlotRules
    looks: int
    """How many jobs are looked at for which there may be no room."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimAnswer:
    """What it got: rows in order, and when the queue is due next if it was emptied."""

    rows: Sequence[Row]
    is_emptied: bool
    due_at: int | None
    came_back_to: Queues


def claim(connection: sqlite3.Connection, request: ClaimRequest) -> ClaimAnswer:
    """Give back what has expired, then claim what is ready."""
    expired = give_back(connection, "job_select_expired", (request.now,), request.now, request.max_crashes)
    came_back_to = frozenset[str]().union(*expired)
    if connection.execute(statement("queue_is_paused"), (request.queue_name,)).fetchone()[0]:
        return ClaimAnswer(rows=(), is_emptied=True, due_at=None, came_back_to=came_back_to)
    connection.execute(statement("job_promote"), (request.queue_name, request.now))
    if request.rules.concern(request.queue_name):
        return _claim_within_limits(connection, request, came_back_to)
    rows = _in_order(
        connection.execute(
            statement("job_claim"),
            {
                "now": request.now,
                "token": request.token,
                "lease_end": request.lease_end,
                "session": request.session,
                "queue_name": request.queue_name,
                "limit": request.limit,
            },
        ).fetchall()
    )
    is_emptied = len(rows) < request.limit
    due_at = _next_due(connection, request.queue_name) if is_emptied else None
    return ClaimAnswer(rows=rows, is_emptied=is_emptied, due_at=due_at, came_back_to=came_back_to)


def _claim_within_limits(connection: sqlite3.Connection, request: ClaimRequest, came_back_to: Queues) -> ClaimAnswer:
    came_back_to |= slots.free_by_time(connection, request.now)
    gate = slots.Gate(connection, request.rules, request.now)
    claimed: list[Row] = []
    looked, length, is_emptied = 0, request.limit, False
    while len(claimed) < request.limit and looked < request.looks and not is_emptied:
        line = connection.execute(statement("job_head"), (request.queue_name, length)).fetchall()
        admitted, went_on = gate.admit(line, request.limit - len(claimed))
        claimed += _claim_admitted(connection, request, admitted)
        came_back_to |= went_on
        looked += len(line)
        if request.queue_name in went_on:
            length = request.limit
            continue
        is_emptied = len(line) < length and len(claimed) < request.limit
        # many may have to be parked before one passes
        length *= 2
    due_at = None
    if is_emptied:
        moments = _next_due(connection, request.queue_name), slots.next_free(connection, request.queue_name)
        due_at = min((moment for moment in moments if moment is not None), default=None)
    return ClaimAnswer(rows=claimed, is_emptied=is_emptied, due_at=due_at, came_back_to=came_back_to)


def _claim_admitted(connection: sqlite3.Connection, request: ClaimRequest, seqs: Sequence[int]) -> list[Row]:
    rows: list[Row] = []
    run = (request.now, request.token, request.lease_end, request.session)
    for chunk in chunks(seqs):
        rows += connection.execute(statement("job_claim_admitted", len(chunk)), [*chunk, *run]).fetchall()
    return _in_order(rows)


def _in_order(rows: list[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: (-row[PRIORITY], row[RANK], row[SEQ]))


def _next_due(connection: sqlite3.Connection, queue_name: str) -> int | None:
    moment: int | None = connection.execute(statement("job_next_due"), (queue_name,)).fetchone()[0]
    return moment
