"""One log line when the store goes away, and one when it is back."""

from portico.ports.clock import Clock
from portico.runtime.service import describe
from portico.utils.logging import get_logger

logger = get_logger(__name__)


class StoreOutage:
    """Notes failures and successes of the store, and speaks only when that changes."""

    def __init__(self, clock: Clock, worker: str) -> None:
        self._clock = clock
        self._worker = worker
        self._since: float | None = None

    def begin(self, error: Exception) -> None:
        """Note a failure."""
        if self._since is None:
            self._since = self._clock.monotonic()
            logger.error("job_store_unavailable", worker=self._worker, error=describe(error))

    def end(self) -> None:
        """Note a success."""
        if self._since is not None:
            lasted = self._clock.monotonic() - self._since
            self._since = None
            logger.info("job_store_recovered", worker=self._worker, after_seconds=round(lasted, 3))
