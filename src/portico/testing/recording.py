"""A job creator that remembers what it was asked for."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from typing_extensions import override

from portico.kits.job.job_factory import KEYS, JobFactory
from portico.kits.job.job_ids import JobIds
from portico.ports.clock import Clock
from portico.ports.job import Job
from portico.ports.job_creator import BatchJobCreator, JobRequest
from portico.ports.job_lifecycle import enqueued
from portico.runtime.clock import SystemClock


class RecordingJobCreator(BatchJobCreator):
    """Creates jobs in memory that nobody runs, so that both kinds of keys stay held."""

    def __init__(self, clock: Clock | None = None) -> None:
        self.jobs: list[Job] = []
        """The jobs that were created, in order, without duplicates."""
        self._clock = clock or SystemClock()
        self._factory = JobFactory(JobIds(self._clock))
        self._held: dict[tuple[str, str, str], Job] = {}
        self._failures: list[Exception] = []

    def fail_next(self, error: Exception, times: int = 1) -> None:
        """Raise `error` from the next `times` calls; nothing is created by them."""
        self._failures.extend([error] * times)

    @override
    async def create_job(
        self,
        job_type: str,
        payload: dict[str, Any],
        queue_name: str = "default",
        priority: int = 0,
        **kwargs: Any,
    ) -> Job:
        # JobRequest refuses unknown keywords with a TypeError
        request = JobRequest(job_type=job_type, payload=payload, queue_name=queue_name, priority=priority, **kwargs)
        return (await self.create_jobs([request]))[0]

    @override
    async def create_jobs(self, requests: Sequence[JobRequest]) -> list[Job]:
        if self._failures:
            raise self._failures.pop(0)
        jobs = [self._factory.build(request) for request in requests]
        return [self._record(job) for job in jobs]

    @override
    async def get_job(self, job_id: UUID) -> Job | None:
        return next((job for job in self.jobs if job.id == job_id), None)

    def _record(self, job: Job) -> Job:
        keys = [(job.queue_name, name, job.metadata[name]) for name in KEYS if name in job.metadata]
        for key in keys:
            if key in self._held:
                return replace(self._held[key], is_duplicate=True)
        stored = enqueued(job, self._clock.now())
        self._held.update(dict.fromkeys(keys, stored))
        self.jobs.append(stored)
        return stored
