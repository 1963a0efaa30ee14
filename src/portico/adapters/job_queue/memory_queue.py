"""A queue in the memory of this process: for tests, and for jobs that may be lost with it."""

from collections.abc import Sequence

from typing_extensions import override

from portico.adapters.job_checks import DEFAULT_MAX_PAYLOAD_BYTES
from portico.adapters.job_store import KeepingRules
from portico.adapters.store.memory.jobs import MemoryJobs
from portico.adapters.stored_queue import STORE_CAPABILITIES, StoredJobQueue
from portico.ports.clock import Clock
from portico.ports.job_lifecycle import DEFAULT_MAX_CRASHES
from portico.ports.job_limits import JobLimit
from portico.ports.job_queue import QueueCapability
from portico.ports.retention import DEFAULT_RETENTION, Retention
from portico.runtime.clock import SystemClock


class MemoryJobQueueAdapter(StoredJobQueue):
    """Jobs live as long as this object, also between `close` and the next use.

    Args:
        lease_seconds: how long a claim holds without a heartbeat.
        clock: the store's clock.
        idempotency_seconds: how long an idempotency key is held after its job ended.
        max_crashes: how many crashed runs of one job are forgiven.
        max_payload_bytes: how long a payload may be as JSON.
        retention: how long finished jobs are kept; workers forget them by the minute.
        limits: how many jobs may run at once or start in a while, among all who use the store; the same everywhere.

    """

    def __init__(  # noqa: PLR0913 - settings, each with a default
        self,
        *,
        lease_seconds: float = 60,
        clock: Clock | None = None,
        idempotency_seconds: float = 604_800,
        max_crashes: int = DEFAULT_MAX_CRASHES,
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
        store_clock = clock or SystemClock()
        super().__init__(MemoryJobs(rules, store_clock), rules, store_clock)

    @property
    @override
    def capabilities(self) -> frozenset[QueueCapability]:
        return STORE_CAPABILITIES | {QueueCapability.ABORT, QueueCapability.LIMITS, QueueCapability.PARTITIONS}
