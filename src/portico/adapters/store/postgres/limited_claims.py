"""Claims of queues that limits concern: a look at the head of the line, then those that have room are admitted."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from portico.adapters.job_slots import Slot, SlotRules
from portico.adapters.job_store import Claim, KeepingRules, with_fields
from portico.adapters.store.postgres.claims import ID, ClaimAnswer, ClaimRequest, JobRows, in_order
from portico.adapters.store.postgres.connections import Row
from portico.adapters.store.postgres.rows import claimed_job
from portico.adapters.store.postgres.store import PostgresStore
from portico.ports.job import Job
from portico.ports.job_lifecycle import CANCELLED_MESSAGE, CRASHED_MESSAGE

_FARTHEST_LOOK = 1000
_LOOK_FARTHER = 4


class LimitedClaims:
    """Claims in steps, each a short transaction: nobody waits for one that goes through a long line of full slots."""

    def __init__(self, store: PostgresStore, rules: KeepingRules, slots: SlotRules) -> None:
        self._store = store
        self._rules = rules
        self._slots = slots

    async def claim(self, request: ClaimRequest) -> ClaimAnswer:
        """Claim what is ready and has room; park what has none."""
        claimed: list[tuple[Row, datetime]] = []
        came_back_to: set[str] = set()
        distance = request.wanted
        while len(claimed) < request.wanted:
            found = await self._look(request, distance)
            came_back_to |= found.came_back_to
            if not found.jobs:
                return _answer(request, claimed, came_back_to, found)
            admitted, freed = await self._admit(request, found.jobs, request.wanted - len(claimed))
            claimed += admitted
            came_back_to |= freed
            distance = request.wanted - len(claimed) if admitted else distance * _LOOK_FARTHER
        return _answer(request, claimed, came_back_to, None)

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


def _answer(
    request: ClaimRequest, claimed: Sequence[tuple[Row, datetime]], came_back_to: set[str], end: JobRows | None
) -> ClaimAnswer:
    starts = {row[ID]: started_at for row, started_at in claimed}
    return ClaimAnswer(
        claims=[Claim(_started(row, starts[row[ID]]), request.token) for row in in_order(row for row, _ in claimed)],
        is_emptied=end is not None,
        due_in_seconds=None if end is None else end.due_in_seconds,
        came_back_to=frozenset(came_back_to),
    )


def _started(row: Row, started_at: datetime) -> Job:
    return with_fields(claimed_job(row), started_at=started_at)
