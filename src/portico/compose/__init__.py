"""The composition root: from a URL to a queue, a creator, workers, triggers and routes that fit together."""

from collections.abc import Mapping, Sequence
from typing import Any

from portico.compose.application import TRIGGER_DEFAULT_NAMES, Jobs
from portico.compose.options import names_of, passed_on
from portico.compose.stores import SCHEMES, open_store
from portico.kits.job.registry import HandlerRegistry
from portico.kits.job.worker_manager import WorkerManager
from portico.ports.clock import Clock
from portico.ports.job_limits import JobLimit
from portico.ports.retention import DEFAULT_RETENTION

__all__ = ["SCHEMES", "TRIGGER_DEFAULT_NAMES", "Jobs", "jobs"]


def jobs(  # noqa: PLR0913 - the whole application in one call
    url: str,
    handlers: Sequence[Any] | Mapping[str, Any] = (),
    queues: Sequence[str] | None = None,
    concurrency: int = 10,
    workers: bool = True,  # noqa: FBT001, FBT002 - the contract's signature
    *,
    limits: Sequence[JobLimit] = (),
    clock: Clock | None = None,
    queue_options: Mapping[str, Any] | None = None,
    worker_options: Mapping[str, Any] | None = None,
) -> Jobs:
    """Put an application together; nothing is opened before it starts.

    Args:
        url: the store: ``memory://``, ``sqlite:///relative.db``, ``sqlite:////absolute.db`` or
            ``postgresql://user:password@host:5432/database`` or ``redis://user:password@host:6379/0``.
        handlers: functions made with `portico.job`, `JobHandler` objects, modules that hold them, or a mapping from
            job type to handler.
        queues: what the workers serve, the first before the others; by default ``default`` and every queue that a
            trigger, a schedule or a handler names.
        concurrency: how many jobs run at once in this process.
        workers: False for a process that only creates jobs.
        limits: how many jobs may run at once, `ConcurrencyLimit`, or start in a while, `RateLimit`: in all processes
            on the store together, which are all given the same.
        clock: the time; the machine's by default.
        queue_options: passed on to the queue adapter, for example ``{"durability": "power"}``.
        worker_options: passed on to `WorkerManager`, for example ``{"grace_seconds": 60}``.

    Raises:
        ConfigurationError: the URL, a handler or an option cannot be used.

    """
    options = {**({"limits": limits} if limits else {}), **(queue_options or {})}
    queue, store, inbox = open_store(url, clock, options)
    return Jobs(
        url=url,
        queue=queue,
        store=store,
        inbox=inbox,
        registry=HandlerRegistry(handlers),
        queues=names_of(queues),
        has_workers=workers,
        worker_options={"concurrency": concurrency, **passed_on("worker_options", worker_options or {}, WorkerManager)},
        retention=options.get("retention", DEFAULT_RETENTION),
        clock=clock,
    )
