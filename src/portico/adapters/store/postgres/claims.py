"""What a claim asks of the server, and its answer."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

from portico.adapters.job_store import Claim, KeepingRules
from portico.adapters.store.postgres.connections import Row
from portico.adapters.store.postgres.rows import claimed_job
from portico.adapters.store.postgres.store import PostgresStore
from portico.ports.job_lifecycle import CANCELLED_MESSAGE, CRASHED_MESSAGE

ID, PRIORITY, SEQ, RANK = 0, 3, 14, 17
_DUE_IN_SECONDS, _CAME_BACK_TO = 15, 16


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimRequest:
    """So many jobs of a queue, to be marked with a token; `now` of None lets the server look at its own clock."""

    queue_name: str
    wanted: int
    token: int
    now: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimAnswer:
    """What a claim got, and what it noticed: whether it took all, when the next is due, where jobs came back to."""

    claims: list[Claim]
    is_emptied: bool
    due_in_seconds: float | None
    came_back_to: frozenset[str]


@dataclass(frozen=True, slots=True)
class JobRows:
    """The jobs among the rows of a claim or a look, and what its last row said beside them."""

    jobs: Sequence[Row]
    is_all: bool
    due_in_seconds: float | None
    came_back_to: frozenset[str]

    @classmethod
    def of(cls, rows: Sequence[Row]) -> Self:
        """Take the rows apart."""
        if not rows or rows[-1][ID] is not None:
            return cls(rows, is_all=False, due_in_seconds=None, came_back_to=frozenset())
        last = rows[-1]
        return cls(
            rows[:-1],
            is_all=True,
            due_in_seconds=last[_DUE_IN_SECONDS],
            came_back_to=frozenset(last[_CAME_BACK_TO] or ()),
        )


async def claim_without_limits(store: PostgresStore, rules: KeepingRules, request: ClaimRequest) -> ClaimAnswer:
    """Claim whatever is ready."""
    rows = JobRows.of(
        await store.fetch(
            "job_claim",
            request.queue_name,
            request.wanted,
            request.token,
            store.session,
            timedelta(seconds=rules.lease_seconds),
            request.now,
            rules.max_crashes,
            CRASHED_MESSAGE,
            CANCELLED_MESSAGE,
        )
    )
    return ClaimAnswer(
        claims=[Claim(claimed_job(row), request.token) for row in in_order(rows.jobs)],
        is_emptied=rows.is_all,
        due_in_seconds=rows.due_in_seconds,
        came_back_to=rows.came_back_to,
    )


def in_order(rows: Iterable[Row]) -> list[Row]:
    """Return jobs as claims have them: the server answers in no order."""
    return sorted(rows, key=lambda row: (-row[PRIORITY], row[RANK], row[SEQ]))
