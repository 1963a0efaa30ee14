"""A queue in a database, chosen by the scheme of its URL."""

from typing_extensions import override

from portico.adapters.job_store import KeepingRules
from portico.adapters.store.sqlite.jobs import SqliteJobs
from portico.adapters.store.sqlite.schema import Durability
from portico.adapters.store.sqlite.store import SqliteStore
from portico.adapters.stored_queue import STORE_CAPABILITIES, StoredJobQueue
from portico.exceptions import ConfigurationError
from portico.ports.clock import Clock
from portico.ports.job_lifecycle import DEFAULT_MAX_CRASHES
from portico.ports.job_queue import QueueCapability
from portico.runtime.clock import SystemClock

_FORMS = "sqlite:///relative/path.db or sqlite:////absolute/path.db"
_POSTGRESQL_SCHEMES = frozenset({"postgresql", "postgres", "postgresql+asyncpg"})


class DatabaseJobQueueAdapter(StoredJobQueue):
    """Jobs in an SQLite file, shared by all processes of one host that open it.

    Args:
        url: ``sqlite:///relative/path.db`` or ``sqlite:////absolute/path.db``.
        lease_seconds: how long a claim holds without a heartbeat; jobs of a process that died come back at once.
        durability: ``"process"`` (the default) survives kill -9 and may lose the last 100 ms when the power fails;
            ``"power"`` waits for the disk.
        idempotency_seconds: how long an idempotency key is held after its job ended.
        max_crashes: how many crashed runs of one job are forgiven.
        clock: the store's clock.

    """

    def __init__(
        self,
        url: str,
        *,
        lease_seconds: float = 60,
        durability: Durability | None = None,
        idempotency_seconds: float = 604_800,
        max_crashes: int = DEFAULT_MAX_CRASHES,
        clock: Clock | None = None,
    ) -> None:
        rules = KeepingRules(
            lease_seconds=lease_seconds, idempotency_seconds=idempotency_seconds, max_crashes=max_crashes
        )
        store_clock = clock or SystemClock()
        self._store = SqliteStore(_sqlite_path(url), durability=durability or "process")
        super().__init__(SqliteJobs(self._store, rules, store_clock), rules, store_clock)

    @property
    @override
    def capabilities(self) -> frozenset[QueueCapability]:
        return STORE_CAPABILITIES | {QueueCapability.DURABLE, QueueCapability.SHARED}

    @property
    def store(self) -> SqliteStore:
        """The file under this queue, for a trigger store and an inbox on the same one."""
        return self._store


def _sqlite_path(url: str) -> str:
    """Return the path in the URL, as SQLAlchemy reads it; errors name schemes only, a URL may hold a password."""
    scheme, separator, rest = url.partition("://")
    if separator and scheme in _POSTGRESQL_SCHEMES:
        message = "this version of Portico keeps jobs in SQLite only; PostgreSQL is to come: use " + _FORMS
        raise ConfigurationError(message)
    if not separator or scheme != "sqlite":
        named = f"the scheme '{scheme}'" if separator else "a URL without a scheme"
        message = f"{named} is no database for jobs; supported: sqlite ({_FORMS})"
        raise ConfigurationError(message)
    host, _, path = rest.partition("/")
    if host or "?" in path:
        message = f"an SQLite URL has a path and nothing else: {_FORMS}"
        raise ConfigurationError(message)
    if path in ("", ":memory:"):
        message = f"an SQLite queue needs a file ({_FORMS}); for jobs in memory use memory://"
        raise ConfigurationError(message)
    return path
