"""A queue in a database, chosen by the scheme of its URL."""

from collections.abc import Sequence

from typing_extensions import override

from portico.adapters.job_checks import DEFAULT_MAX_PAYLOAD_BYTES
from portico.adapters.job_store import KeepingRules
from portico.adapters.store.postgres.address import SCHEMES as POSTGRESQL_SCHEMES
from portico.adapters.store.postgres.event_inbox import PostgresEventInbox
from portico.adapters.store.postgres.jobs import PostgresJobs
from portico.adapters.store.postgres.rate_limiter import PostgresRateLimiter
from portico.adapters.store.postgres.store import PostgresStore
from portico.adapters.store.postgres.trigger_store import PostgresTriggerStore
from portico.adapters.store.sqlite.event_inbox import SqliteEventInbox
from portico.adapters.store.sqlite.jobs import SqliteJobs
from portico.adapters.store.sqlite.rate_limiter import SqliteRateLimiter
from portico.adapters.store.sqlite.schema import Durability
from portico.adapters.store.sqlite.store import SqliteStore
from portico.adapters.store.sqlite.trigger_store import SqliteTriggerStore
from portico.adapters.stored_queue import STORE_CAPABILITIES, StoredJobQueue
from portico.exceptions import ConfigurationError, UnsupportedError
from portico.ports.clock import Clock
from portico.ports.event_inbox import EventInbox
from portico.ports.job import Job
from portico.ports.job_lifecycle import DEFAULT_MAX_CRASHES
from portico.ports.job_limits import JobLimit
from portico.ports.job_queue import QueueCapability
from portico.ports.rate_limiter import RateLimiter
from portico.ports.retention import DEFAULT_RETENTION, Retention
from portico.ports.trigger_store import TriggerStore
from portico.runtime.clock import SystemClock

_FORMS = "sqlite:///relative/path.db or sqlite:////absolute/path.db"
_POSTGRESQL_FORM = "postgresql://user:password@host:5432/database"


class DatabaseJobQueueAdapter(StoredJobQueue):
    """Jobs in an SQLite file, shared by all processes of one host, or in a PostgreSQL database.

    Args:
        url: ``sqlite:///relative/path.db``, ``sqlite:////absolute/path.db``, or
            ``postgresql://user:password@host:5432/database``.
        lease_seconds: how long a claim holds without a heartbeat; on SQLite jobs of a process that died come back at
            once.
        durability: ``"process"`` survives kill -9 and may lose the last 100 ms (PostgreSQL: 600) when the power fails;
            ``"power"`` waits for the disk. By default ``"process"`` on SQLite, ``"power"`` on PostgreSQL.
        idempotency_seconds: how long an idempotency key is held after its job ended.
        max_crashes: how many crashed runs of one job are forgiven.
        max_payload_bytes: how long a payload may be as JSON.
        retention: how long finished jobs are kept; workers forget them by the minute.
        limits: how many jobs may run at once or start in a while, among all who use the store; the same everywhere.
        clock: the store's clock.
        schema: on PostgreSQL, where the tables are.
        listen_url: on PostgreSQL behind a pooler, the server's own URL.
        allow_network_file_system: on SQLite, True when no other machine uses the file.
        pool_size: on PostgreSQL, how many connections at most, not counting the one that listens.

    """

    def __init__(  # noqa: PLR0913 - the contract has this signature
        self,
        url: str,
        *,
        lease_seconds: float = 60,
        durability: Durability | None = None,
        idempotency_seconds: float = 604_800,
        max_crashes: int = DEFAULT_MAX_CRASHES,
        max_payload_bytes: int = DEFAULT_MAX_PAYLOAD_BYTES,
        retention: Retention = DEFAULT_RETENTION,
        limits: Sequence[JobLimit] = (),
        clock: Clock | None = None,
        schema: str = "portico",
        listen_url: str | None = None,
        pool_size: int = 5,
        allow_network_file_system: bool = False,
    ) -> None:
        rules = KeepingRules(
            lease_seconds=lease_seconds,
            idempotency_seconds=idempotency_seconds,
            max_crashes=max_crashes,
            max_payload_bytes=max_payload_bytes,
            retention=retention,
            limits=limits,
        )
        self._store: SqliteStore | PostgresStore
        if url.partition("://")[0] in POSTGRESQL_SCHEMES:
            self._store = PostgresStore(
                url,
                schema=schema,
                durability=durability or "power",
                listen_url=listen_url,
                pool_size=pool_size,
                clock=clock,
            )
            super().__init__(PostgresJobs(self._store, rules), rules, self._store.clock)
            return
        store_clock = clock or SystemClock()
        self._store = SqliteStore(
            _sqlite_path(url),
            durability=durability or "process",
            allow_network_file_system=allow_network_file_system,
        )
        super().__init__(SqliteJobs(self._store, rules, store_clock), rules, store_clock)

    @property
    @override
    def capabilities(self) -> frozenset[QueueCapability]:
        own = {QueueCapability.ABORT, QueueCapability.DURABLE, QueueCapability.SHARED}
        shared = STORE_CAPABILITIES | own | {QueueCapability.LIMITS, QueueCapability.PARTITIONS}
        return shared | {QueueCapability.TRANSACTIONS} if isinstance(self._store, PostgresStore) else shared

    @override
    async def enqueue(self, job: Job, *, connection: object | None = None) -> Job:
        if connection is None:
            return await super().enqueue(job)
        if not isinstance(self._jobs, PostgresJobs):
            self._unsupported(QueueCapability.TRANSACTIONS)
        await self.initialize()
        return (await self._jobs.insert([self._accepted(job, self._clock.now())], connection=connection))[0]

    @property
    def store(self) -> SqliteStore:
        """The SQLite file under this queue; `trigger_store` and `event_inbox` are there for every database."""
        if not isinstance(self._store, SqliteStore):
            raise UnsupportedError("this queue is in PostgreSQL: there is no SQLite file under it")
        return self._store

    def trigger_store(self) -> TriggerStore:
        """Return a trigger store in the same database."""
        if isinstance(self._store, PostgresStore):
            return PostgresTriggerStore(self._store)
        return SqliteTriggerStore(self._store, clock=self._clock)

    def event_inbox(self) -> EventInbox:
        """Return an event inbox in the same database."""
        if isinstance(self._store, PostgresStore):
            return PostgresEventInbox(self._store)
        return SqliteEventInbox(self._store)

    def rate_limiter(self) -> RateLimiter:
        """Return a rate limiter in the same database; its limits hold among all who use it."""
        if isinstance(self._store, PostgresStore):
            return PostgresRateLimiter(self._store)
        return SqliteRateLimiter(self._store, clock=self._clock)


def _sqlite_path(url: str) -> str:
    """Return the path in the URL, as SQLAlchemy reads it; errors name schemes only, a URL may hold a password."""
    scheme, separator, rest = url.partition("://")
    if not separator or scheme != "sqlite":
        named = f"the scheme '{scheme}'" if separator else "a URL without a scheme"
        raise ConfigurationError(
            f"{named} is no database for jobs; supported: sqlite ({_FORMS}) and postgresql ({_POSTGRESQL_FORM})"
        )
    host, _, path = rest.partition("/")
    if host or "?" in path:
        raise ConfigurationError(f"an SQLite URL has a path and nothing else: {_FORMS}")
    if path in ("", ":memory:"):
        raise ConfigurationError(f"an SQLite queue needs a file ({_FORMS}); for jobs in memory use memory://")
    return path
