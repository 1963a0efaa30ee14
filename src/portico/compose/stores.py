"""From a URL to the store of an application."""

from typing import Any

from portico.compose.options import passed_on
from portico.exceptions import ConfigurationError
from portico.ports.clock import Clock
from portico.ports.event_inbox import EventInbox
from portico.ports.job_queue import JobQueueAdapter
from portico.ports.rate_limiter import RateLimiter
from portico.ports.trigger_store import TriggerStore
from portico.runtime.memory_state import MemoryEventInbox, MemoryTriggerStore

SCHEMES = ("memory://", "sqlite:///path", "postgresql://host/database", "redis://host")


def open_store(
    url: str, clock: Clock | None, options: dict[str, Any]
) -> tuple[JobQueueAdapter, TriggerStore, EventInbox]:
    """Make the queue adapter of the URL, with a trigger store and an inbox beside it; nothing is opened yet.

    Raises:
        ConfigurationError: the URL or an option cannot be used.

    """
    scheme, colon, _ = url.partition(":")
    if scheme == "memory":
        from portico.adapters.job_queue.memory_queue import MemoryJobQueueAdapter

        memory = MemoryJobQueueAdapter(clock=clock, **passed_on("queue_options", options, MemoryJobQueueAdapter))
        return memory, MemoryTriggerStore(clock=clock), MemoryEventInbox()
    if scheme in ("sqlite", "postgresql", "postgres", "postgresql+asyncpg"):
        from portico.adapters.job_queue.database_queue import DatabaseJobQueueAdapter

        database = DatabaseJobQueueAdapter(
            url, clock=clock, **passed_on("queue_options", options, DatabaseJobQueueAdapter)
        )
        return database, database.trigger_store(), database.event_inbox()
    if scheme in ("redis", "rediss", "unix"):
        from portico.adapters.job_queue.redis_queue import RedisJobQueueAdapter

        redis = RedisJobQueueAdapter(url, clock=clock, **passed_on("queue_options", options, RedisJobQueueAdapter))
        return redis, redis.trigger_store(), redis.event_inbox()
    raise ConfigurationError(f"unknown store '{scheme}{colon}'; supported are {', '.join(SCHEMES)}")


def rate_limiter_of(queue: JobQueueAdapter) -> RateLimiter | None:
    """Return a limiter beside the queue's jobs, whose limits hold among all processes; None where there is no such."""
    make = getattr(queue, "rate_limiter", None)
    return None if make is None else make()
