"""A queue on a Redis or Valkey server."""

from collections.abc import Sequence

from typing_extensions import override

from portico.adapters.job_checks import DEFAULT_MAX_PAYLOAD_BYTES
from portico.adapters.job_store import KeepingRules
from portico.adapters.store.redis.event_inbox import RedisEventInbox
from portico.adapters.store.redis.jobs import RedisJobs
from portico.adapters.store.redis.rate_limiter import RedisRateLimiter
from portico.adapters.store.redis.store import Durability, RedisStore
from portico.adapters.store.redis.trigger_store import RedisTriggerStore
from portico.adapters.stored_queue import STORE_CAPABILITIES, StoredJobQueue
from portico.ports.clock import Clock
from portico.ports.event_inbox import EventInbox
from portico.ports.job_lifecycle import DEFAULT_MAX_CRASHES
from portico.ports.job_limits import JobLimit
from portico.ports.job_queue import QueueCapability
from portico.ports.rate_limiter import RateLimiter
from portico.ports.retention import DEFAULT_RETENTION, Retention
from portico.ports.trigger_store import TriggerStore

_CAPABILITIES = STORE_CAPABILITIES | {
    QueueCapability.ABORT,
    QueueCapability.LIMITS,
    QueueCapability.PARTITIONS,
    QueueCapability.SHARED,
}


class RedisJobQueueAdapter(StoredJobQueue):
    """Jobs under one prefix of a Redis or Valkey server of version 7.0 or newer, shared by all who use it.

    How safe they are is the server's affair: with its log of writes (AOF) on, what `enqueue` returned survives its
    death, and only then the queue is `DURABLE`, which is known after `initialize`.

    Args:
        url: ``redis://[user:password@]host[:port][/db]``, ``rediss://...`` (TLS) or ``unix:///path?db=0``.
        lease_seconds: how long a claim holds without a heartbeat.
        durability: what the server is expected to keep: ``"process"`` (the default) a log of every write,
            ``"power"`` one that is on the disk before it answers (``appendfsync always``).
        require_durable: refuse a server that does not, instead of warning.
        idempotency_seconds: how long an idempotency key is held after its job ended.
        max_crashes: how many crashed runs of one job are forgiven.
        prefix: what all keys start with; queues under different prefixes know nothing of each other.
        clock: the store's clock, for tests; by default the server's own.
        max_payload_bytes: how long a payload may be as JSON.
        retention: how long finished jobs are kept; workers forget them by the minute.
        limits: how many jobs may run at once or start in a while, among all who use the store; the same everywhere.

    """

    def __init__(  # noqa: PLR0913 - settings, each with a default
        self,
        url: str,
        *,
        lease_seconds: float = 60,
        durability: Durability | None = None,
        require_durable: bool = False,
        idempotency_seconds: float = 604_800,
        max_crashes: int = DEFAULT_MAX_CRASHES,
        prefix: str = "portico",
        clock: Clock | None = None,
        max_payload_bytes: int = DEFAULT_MAX_PAYLOAD_BYTES,
        retention: Retention = DEFAULT_RETENTION,
        limits: Sequence[JobLimit] = (),
    ) -> None:
        rules = KeepingRules(
            lease_seconds=lease_seconds,
            idempotency_seconds=idempotency_seconds,
            max_crashes=max_crashes,
            max_payload_bytes=max_payload_bytes,
            retention=retention,
            limits=limits,
        )
        self._store = RedisStore(
            url, prefix=prefix, durability=durability, require_durable=require_durable, clock=clock
        )
        super().__init__(RedisJobs(self._store, rules), rules, self._store.clock)

    @property
    @override
    def capabilities(self) -> frozenset[QueueCapability]:
        kept = {QueueCapability.DURABLE} if self._store.is_durable else set[QueueCapability]()
        return _CAPABILITIES | kept

    @property
    def store(self) -> RedisStore:
        """The prefix under this queue, for a trigger store, an inbox and a rate limiter under the same one."""
        return self._store

    def trigger_store(self) -> TriggerStore:
        """Return a trigger store under the same prefix."""
        return RedisTriggerStore(self._store)

    def event_inbox(self) -> EventInbox:
        """Return an event inbox under the same prefix."""
        return RedisEventInbox(self._store)

    def rate_limiter(self) -> RateLimiter:
        """Return a rate limiter under the same prefix; its limits hold among all who use it."""
        return RedisRateLimiter(self._store)
