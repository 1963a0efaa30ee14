"""Jobs from rows of a database."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, nullcontext
from importlib.util import find_spec
from typing import Any, ClassVar

from typing_extensions import override

from portico.adapters.polled_table import PolledRow, PolledTable, PolledTableConfig, RowNotMarkedError, session_opener
from portico.exceptions import ConfigurationError, MissingExtraError, ValidationError
from portico.ports.clock import Clock
from portico.ports.event_inbox import EventInbox, EventOutcome
from portico.ports.job_creator import JobCreator, JobRequest
from portico.ports.trigger_store import TriggerStore
from portico.runtime.events import Event
from portico.runtime.polling import PollingTrigger
from portico.runtime.setting_checks import require_name, require_priority, require_seconds
from portico.runtime.trigger import Dismissed

__all__ = ["DatabasePollingTrigger", "PolledRow"]


class DatabasePollingTrigger(PollingTrigger):
    """Makes a job of each pending row, then marks the row.

    Either name a `table`, or subclass and override `_get_pending_items` (items have `id` and `data`) and
    `_mark_as_queued`.

    Args:
        job_creator: what creates the jobs.
        database: anything with `session()` giving an `AsyncSession`, an `AsyncEngine` or an `async_sessionmaker`.
        poll_interval_seconds: the rest between two looks (default 60); after a full batch there is none.
        table: ``"items"``, ``"schema.items"``, a SQLAlchemy `Table` or a mapped class.
        id_column: the column that identifies a row.
        status_column: the column that says whether a row is pending.
        pending_value: the status of rows that wait for a job.
        queued_value: the status of rows that have one.
        rejected_value: the status of rows that can never have one.
        data_column: the column whose value is the payload's `data`.
        version_column: a column that changes when a row is to be processed once more, for example ``"updated_at"``.
        job_type: the type of the jobs.
        queue_name: their queue.
        priority: their priority, higher first.
        batch_size: the most rows of one look (default 100).
        name: the trigger's name, by default ``database_polling``.
        clock: the time.
        store: not used; every trigger takes one.
        inbox: where rejected rows are noted.

    """

    kind: ClassVar[str] = "database_polling"
    _backoff_event: ClassVar[str] = "polling_error"

    def __init__(  # noqa: PLR0913 - the contract's signature
        self,
        job_creator: JobCreator,
        database: Any,
        poll_interval_seconds: float = 60,
        *,
        table: Any = None,
        id_column: str = "id",
        status_column: str = "status",
        pending_value: Any = "pending",
        queued_value: Any = "queued",
        rejected_value: Any = "rejected",
        data_column: str = "data",
        version_column: str | None = None,
        job_type: str = "item.process",
        queue_name: str = "processing",
        priority: int = 0,
        batch_size: int = 100,
        name: str | None = None,
        clock: Clock | None = None,
        store: TriggerStore | None = None,
        inbox: EventInbox | None = None,
    ) -> None:
        super().__init__(job_creator, name=name, clock=clock, store=store, inbox=inbox)
        # a wrong one would have every row rejected
        require_name("job_type", job_type)
        require_name("queue_name", queue_name)
        require_priority(priority)
        require_seconds("poll_interval_seconds", poll_interval_seconds)
        self.database = database
        self.poll_interval = poll_interval_seconds
        self._job_type = job_type
        self._queue_name = queue_name
        self._priority = priority
        self._rejected_value = rejected_value
        self._queued_value = queued_value
        self._batch_size = batch_size
        self._is_behind = False
        self._table: PolledTable | None = None
        if table is not None:
            self._table = self._ready_made(
                PolledTableConfig(
                    table=table,
                    id_column=id_column,
                    status_column=status_column,
                    data_column=data_column,
                    version_column=version_column,
                    pending_value=pending_value,
                    queued_value=queued_value,
                    rejected_value=rejected_value,
                    batch_size=batch_size,
                )
            )

    @property
    @override
    def summary(self) -> str:
        source = type(self).__name__ if self._table is None else self._table.name
        return f"{source} every {self.poll_interval:g} s  -> {self._job_type}"

    @property
    @override
    def queue_names(self) -> frozenset[str]:
        return frozenset({self._queue_name})

    @property
    @override
    def job_types(self) -> frozenset[str]:
        return frozenset({self._job_type})

    async def _get_pending_items(self) -> Sequence[Any]:
        """Return what needs a job, each with `id` and `data`; to be overridden where there is no table."""
        rows = await self._ready_table.pending()
        self._is_behind = len(rows) == self._batch_size and self._marks_itself
        return rows

    async def _mark_as_queued(self, item_id: Any) -> None:
        """Note that the item has its job, so that it is not found again; to be overridden where there is no table."""
        await self._ready_table.mark(item_id, self._queued_value)

    @override
    async def _open(self, stack: AsyncExitStack) -> None:
        if self._table is not None:
            await self._table.prepare()
        elif self._finds_itself or self._marks_itself:
            _ = self._ready_table
        await super()._open(stack)

    @override
    async def _poll(self) -> None:
        self._is_behind = False
        # the whole look is work: stopping must not roll back marks whose jobs exist
        with self._work():
            async with self._look():
                await self._take_all(await self._get_pending_items())

    @override
    async def _rest(self) -> None:
        if not self._is_behind:
            await self._clock.sleep(self.poll_interval)

    async def _take_all(self, items: Sequence[Any]) -> None:
        not_marked: RowNotMarkedError | None = None
        for item in items:
            with self._work():
                try:
                    await self._take(item)
                except RowNotMarkedError as error:
                    # the others first: one row that refuses its new status must not hold them up
                    not_marked = not_marked or error
        if not_marked is not None:
            raise not_marked

    async def _take(self, item: Any) -> None:
        # mark after creating: a crash repeats a job, which its key undoes, and never loses one
        event = Event(source_id=item.identity if isinstance(item, PolledRow) else str(item.id))
        result = await self._process(event, lambda _: self._request(item))
        is_rejected = isinstance(result, Dismissed) and result.outcome is EventOutcome.REJECTED
        if is_rejected and self._table is not None and self._marks_itself:
            await self._table.mark(item.id, self._rejected_value)
            return
        await self._mark_as_queued(item.id)

    def _request(self, item: Any) -> JobRequest:
        metadata = {}
        if isinstance(item, PolledRow):
            if item.problem is not None:
                raise ValidationError(item.problem)
            metadata = {"idempotency_key": self._key(self._job_type, item.identity)}
        return JobRequest(
            job_type=self._job_type,
            payload={"item_id": str(item.id), "data": item.data},
            queue_name=self._queue_name,
            priority=self._priority,
            metadata=metadata,
        )

    def _look(self) -> AbstractAsyncContextManager[Any]:
        return nullcontext() if self._table is None else self._table.look()

    def _ready_made(self, config: PolledTableConfig) -> PolledTable:
        if find_spec("sqlalchemy") is None:
            raise MissingExtraError("DatabasePollingTrigger on a table", "sqlalchemy")
        # an override marks in a session of its own, which would wait for our locks
        return PolledTable(session_opener(self.database), config, locks_rows=self._marks_itself)

    @property
    def _ready_table(self) -> PolledTable:
        if self._table is None:
            raise ConfigurationError(
                "DatabasePollingTrigger has nothing to poll: pass table='...', or subclass it and override both "
                "_get_pending_items() and _mark_as_queued(item_id)"
            )
        return self._table

    @property
    def _finds_itself(self) -> bool:
        return _function(self._get_pending_items) is DatabasePollingTrigger._get_pending_items

    @property
    def _marks_itself(self) -> bool:
        return _function(self._mark_as_queued) is DatabasePollingTrigger._mark_as_queued


def _function(method: Any) -> Any:
    return getattr(method, "__func__", method)
