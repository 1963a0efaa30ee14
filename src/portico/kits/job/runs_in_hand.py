"""The runs of a worker, from claim to answer."""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from uuid import UUID

from portico.kits.job.job_run import JobRun
from portico.kits.job.waiting import sleep_unless
from portico.ports.clock import Clock


class RunsInHand:
    """Finds runs by job, and says when they have ended."""

    def __init__(self) -> None:
        self._runs: dict[JobRun, None] = {}
        self._latest: dict[UUID, JobRun] = {}
        self._changed = asyncio.Event()

    def __len__(self) -> int:
        return len(self._runs)

    def __iter__(self) -> Iterator[JobRun]:
        return iter(tuple(self._runs))

    def add(self, run: JobRun) -> None:
        """Note a run; an earlier one of the same job has lost its lease, or it could not have been claimed."""
        self._runs[run] = None
        earlier = self._latest.setdefault(run.job.id, run)
        if earlier is not run:
            earlier.lose_lease()
            self._latest[run.job.id] = run

    def remove(self, run: JobRun) -> None:
        """Forget a run that is over."""
        del self._runs[run]
        job_id = run.job.id
        latest = self._latest.pop(job_id, run)
        if latest is not run:
            self._latest[job_id] = latest
        self._changed.set()

    def lose(self, job_id: UUID) -> None:
        """The claim of this job is over, if it was one of ours."""
        if (run := self._latest.get(job_id)) is not None:
            run.lose_lease()

    def abort(self, job_ids: Iterable[UUID]) -> None:
        """End those of these jobs that are ours."""
        for job_id in job_ids:
            if (run := self._latest.get(job_id)) is not None:
                run.abort()

    async def wait_for_end(self, clock: Clock, seconds: float, which: Callable[[JobRun], bool]) -> None:
        """Return when all of `which` have ended, but not later than after `seconds`."""
        end = clock.monotonic() + seconds
        while any(which(run) for run in self._runs) and (remaining := end - clock.monotonic()) > 0:
            self._changed.clear()
            await sleep_unless(clock, remaining, self._changed)
