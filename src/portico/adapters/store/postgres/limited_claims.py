"""Claims of queues that limits concern: a look at the head of the line, then those that have room are admitted."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from portico.adapters.job_slots import Slot, SlotRules
from portico.adapters.job_store import Claim, KeepingRules, with_fields
from portico.adapters.store.postgres.claims import ID, ClaimAnswer, ClaimRequest, JobRows, in_order
from portico.adapters.store.postgres.connections import Row
from portico.adapters.store.postgres.failures import ConnectionLostError
from portico.adapters.store.postgres.rows import claimed_job
from portico.adapters.store.postgres.store import PostgresStore
from portico.exceptions import DatabaseError
from portico.ports.job import Job
from portico.ports.job_lifecycle import CANCELLED_MESSAGE, CRASHED_MESSAGE

_FARTHEST_LOOK = 1000
_LOOK_FARTHER = 4


@dataclass(slots=True)
class _Progress:
    """How far a claim has come: what it got, and where to look next."""

    claimed: list[tuple[Row, datetime]] = field(default_factory=list)
    came_back_to: set[str] = field(default_factory=set)
    distance: int = 0
    end: JobRows | None = None

    def answer(self, token: int) -> ClaimAnswer:
        """Return what the claim got, in order."""
        starts = {row[ID]: started_at for row, started_at in self.claimed}
        rows = in_order(row for row, _ in self.claimed)
        return ClaimAnswer(
            claims=[Claim(_started(row, starts[row[ID]]), token) for row in rows],
            is_emptied=self.end is not None,
            due_in_seconds=None if self.end is None else self.end.due_in_seconds,
            came_back_to=frozenset(self.came_back_to),
        )


class LimitedClaims:
    """Claims in steps, each a short transaction: nobody waits for one that goes through a long line of full slots."""

    def __init__(self, store: PostgresStore, rules: KeepingRules, slots: SlotRules) -> None:
        self._store = store
        self._rules = rules
        self._slots = slots

    async def claim(self, request: ClaimRequest) -> ClaimAnswer:
        """Claim what is ready and has room; park what has none."""
        progress = _Progress()
        try:
            while len(progress.claimed) < request.wanted and progress.end is None:
                await self._step(request, progress)
        except ConnectionLostError:
            # nobody knows what was claimed; all of it is given back
            raise
        except DatabaseError:
            if not progress.claimed:
                raise
        return progress.answer(request.token)

    async def _step(self, request: ClaimRequest, progress: _Progress) -> None:
        wanted = request.wanted - len(progress.claimed)
        found = await self._look(request, max(wanted, progress.distance))
        progress.came_back_to |= found.came_back_to
        if not found.jobs:
            progress.end = found
            return
        admitted, freed = await self._admit(request, found.jobs, wanted)
        progress.claimed += admitted
        progress.came_back_to |= freed
        progress.distance = 0 if admitted else len(found.jobs) * _LOOK_FARTHER

    async def _look(self, request: ClaimRequest, distance: int) -> JobRows:
        values = (request.now, self._rules.max_crashes, CRASHED_MESSAGE, CANCELLED_MESSAGE)
        return JobRows.of(
            await self._store.fetch("job_look", request.queue_name, min(distance, _FARTHEST_LOOK), *values)
        )

    async def _admit(
        self, request: ClaimRequest, rows: Sequence[Row], wanted: int
    ) -> tuple[list[tuple[Row, datetime]], set[str]]:
        """Return the rows that were claimed, each with its start, and the queues with jobs that may run now."""
        needs = _Needs([self._slots.slots_of(claimed_job(row)) for row in rows])
        answers = await self._store.fetch(
            "job_admit",
            [row[ID] for row in rows],
            needs.ends,
            needs.places,
            [slot.name for slot in needs.slots],
            [slot.size for slot in needs.slots],
            [None if slot.window_seconds is None else timedelta(seconds=slot.window_seconds) for slot in needs.slots],
            wanted,
            request.token,
            self._store.session,
            timedelta(seconds=self._rules.lease_seconds),
            request.now,
        )
        starts: dict[UUID, datetime] = {job_id: started_at for job_id, started_at, _ in answers if job_id is not None}
        freed = {queue_name for job_id, _, queue_name in answers if job_id is None}
        return [(row, starts[row[ID]]) for row in rows if row[ID] in starts], freed


class _Needs:
    """The slots of jobs, as ``admit`` takes them."""

    def __init__(self, slots_of_jobs: Sequence[Sequence[Slot]]) -> None:
        self.slots: list[Slot] = []
        self.places: list[int] = []
        self.ends: list[int] = []
        known: dict[str, int] = {}
        for slots in slots_of_jobs:
            for slot in slots:
                if slot.name not in known:
                    self.slots.append(slot)
                    known[slot.name] = len(self.slots)
                self.places.append(known[slot.name])
            self.ends.append(len(self.places))


def _started(row: Row, started_at: datetime) -> Job:
    return with_fields(claimed_job(row), started_at=started_at)
