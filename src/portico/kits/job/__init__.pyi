from portico.kits.job.context import Context as Context
from portico.kits.job.job_definition import JobDefinition as JobDefinition
from portico.kits.job.job_definition import job as job
from portico.kits.job.job_service import JobService as JobService
from portico.kits.job.registry import HandlerRegistry as HandlerRegistry
from portico.kits.job.retry_policy import RetryPolicy as RetryPolicy
from portico.kits.job.worker_manager import WorkerManager as WorkerManager
