"""How a job is executed."""

from abc import ABC, abstractmethod

from portico.ports.job import Job, JobResult


class JobHandler(ABC):
    """The business logic of one job type.

    Runs at least once per job: a worker that dies in the middle leaves the job to another one, so a handler must
    bear being called again for the same `job.id`.
    """

    @property
    @abstractmethod
    def job_type(self) -> str:
        """The job type this handler executes."""

    @abstractmethod
    async def handle(self, job: Job) -> JobResult:
        """Execute the job.

        An exception and a result with ``success=False`` are failures and retried, unless
        ``result_data["retry_recommended"] is False`` or the error is a Portico or pydantic `ValidationError`: then the
        job is FAILED at once.
        """

    @abstractmethod
    async def on_failure(self, job: Job, error: Exception) -> None:
        """Be told of every failure, also when the job will be retried; what it raises is logged and changes nothing."""
