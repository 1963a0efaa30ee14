"""Creating jobs and working them off."""

from importlib import import_module

_HOMES = {
    "Context": "context",
    "HandlerRegistry": "registry",
    "JobDefinition": "job_definition",
    "JobService": "job_service",
    "QueueCopy": "queue_copy",
    "RetryPolicy": "retry_policy",
    "WorkerManager": "worker_manager",
    "copy_queue": "queue_copy",
    "job": "job_definition",
}
__all__ = [
    "Context",
    "HandlerRegistry",
    "JobDefinition",
    "JobService",
    "QueueCopy",
    "RetryPolicy",
    "WorkerManager",
    "copy_queue",
    "job",
]


def __getattr__(name: str) -> object:
    # lazily: a program that only creates jobs does not load the worker
    if name not in _HOMES:
        message = f"module 'portico.kits.job' has no attribute {name!r}"
        raise AttributeError(message)
    return getattr(import_module(f"portico.kits.job.{_HOMES[name]}"), name)
