"""A table with a status column, as a source of events."""

import json
from collections.abc import AsyncIterator, Callable, Collection, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from portico.exceptions import ConfigurationError, DatabaseError

_DIALECTS_THAT_SKIP_LOCKED = frozenset({"postgresql"})


class Session(Protocol):
    """What is needed of SQLAlchemy's `AsyncSession`."""

    async def execute(self, statement: Any) -> Any:
        """Execute a statement."""
        ...

    async def commit(self) -> None:
        """Commit."""
        ...

    def begin_nested(self) -> AbstractAsyncContextManager[Any]:
        """Set a savepoint, and go back to it when the block raises."""
        ...

    async def run_sync(self, function: Callable[[Any], Any]) -> Any:
        """Call the function with the synchronous session."""
        ...


OpenSession = Callable[[], AbstractAsyncContextManager[Any]]


class RowNotMarkedError(DatabaseError):
    """A row did not take its new status; other rows may."""


@dataclass(frozen=True)
class PolledRow:
    """A pending row."""

    id: Any
    data: Any
    identity: str
    """Table, id and version: what makes it one event however often it is seen."""
    problem: str | None = None
    """Why its data cannot be read."""


@dataclass(frozen=True, kw_only=True)
class PolledTableConfig:
    """Which table, and what its columns mean."""

    table: Any
    """``"items"``, ``"schema.items"``, a SQLAlchemy `Table` or a mapped class."""
    id_column: str
    status_column: str
    data_column: str
    version_column: str | None
    pending_value: Any
    queued_value: Any
    rejected_value: Any
    batch_size: int

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        if isinstance(self.table, str) and not all(self.table.split(".")):
            raise ConfigurationError(f"table must be 'name' or 'schema.name', not '{self.table}'")
        if self.batch_size < 1:
            raise ConfigurationError(f"batch_size must be at least 1, not {self.batch_size}")
        for name in ("queued_value", "rejected_value"):
            if getattr(self, name) == self.pending_value:
                raise ConfigurationError(f"{name} must differ from pending_value: rows would be found again")

    @property
    def columns(self) -> list[str]:
        """The names of the columns that are read or written."""
        names = [self.id_column, self.status_column, self.data_column, self.version_column]
        return [name for name in names if name is not None]


class PolledTable:
    """Finds pending rows and marks them.

    A look is one session. Where the database can skip locked rows, the rows of a look stay locked until its end, so
    that two processes share the work; elsewhere each mark is committed at once, so that no lock is held while jobs
    are created, perhaps in the very same database.
    """

    def __init__(self, open_session: OpenSession, config: PolledTableConfig, *, locks_rows: bool) -> None:
        self._open_session = open_session
        self._config = config
        self._wants_locks = locks_rows
        self._holds_locks = False
        self._uses_savepoints = False
        self._session: Session | None = None
        self._table: Any = None

    @property
    def name(self) -> str:
        """With its schema, where that was named."""
        name, schema = self._parts
        return name if schema is None else f"{schema}.{name}"

    async def prepare(self) -> None:
        """Find the table and its columns.

        Raises:
            ConfigurationError: the table or a column does not exist.
            DatabaseError: the database does not answer.

        """
        with self._explaining():
            async with self._open_session() as session:
                await session.run_sync(self._inspect)

    @asynccontextmanager
    async def look(self) -> AsyncIterator[Session]:
        """Open the session of one look; what was marked in it stays marked, also when the body raises."""
        async with self._open_session() as session:
            self._session = session
            try:
                yield session
            except Exception:
                await self._commit(session)
                raise
            else:
                await self._commit(session)
            finally:
                self._session = None

    async def pending(self) -> list[PolledRow]:
        """Return the next rows by id, at most a batch.

        Raises:
            DatabaseError: they could not be read.

        """
        async with self._joined() as session:
            with self._explaining():
                rows = (await session.execute(self._select())).all()
                if not self._holds_locks:
                    await session.commit()
        return [self._row(*row) for row in rows]

    async def mark(self, row_id: Any, value: Any) -> None:
        """Set the status of a row that is still pending.

        Raises:
            RowNotMarkedError: it could not be written.

        """
        async with self._joined() as session:
            try:
                await self._mark(session, row_id, value)
            except RowNotMarkedError:
                if self._holds_locks:
                    # PostgreSQL undoes the whole look; savepoints from the start would take two thirds of the speed
                    self._uses_savepoints = True
                else:
                    await self._commit(session)
                raise

    async def _mark(self, session: Session, row_id: Any, value: Any) -> None:
        with self._explaining(RowNotMarkedError):
            async with session.begin_nested() if self._uses_savepoints else nullcontext():
                await session.execute(self._update(row_id, value))
            if not self._holds_locks:
                await session.commit()

    @asynccontextmanager
    async def _joined(self) -> AsyncIterator[Session]:
        if self._session is not None:
            yield self._session
            return
        async with self.look() as session:
            yield session

    async def _commit(self, session: Session) -> None:
        with self._explaining():
            await session.commit()

    def _select(self) -> Any:
        from sqlalchemy import JSON, String, cast, select

        config, columns = self._config, self._table.c
        data = columns[config.data_column]
        # as text: one row whose JSON is broken must not make its whole batch unreadable
        is_json = isinstance(data.type, JSON)
        shown = [columns[config.id_column], cast(data, String) if is_json else data]
        if config.version_column is not None:
            shown.append(columns[config.version_column])
        statement = (
            select(*shown)
            .where(columns[config.status_column] == config.pending_value)
            .order_by(columns[config.id_column])
            .limit(config.batch_size)
        )
        return statement.with_for_update(skip_locked=True) if self._holds_locks else statement

    def _update(self, row_id: Any, value: Any) -> Any:
        from sqlalchemy import update

        identity, status = (self._table.c[name] for name in (self._config.id_column, self._config.status_column))
        # still pending: the job may have run by now and set its own status
        still_pending = status == self._config.pending_value
        return update(self._table).where(identity == row_id, still_pending).values({status: value})

    def _row(self, row_id: Any, data: Any, *version: Any) -> PolledRow:
        from sqlalchemy import JSON

        identity = ":".join(map(_identity_part, (self.name, row_id, *version)))
        if row_id is None:
            return PolledRow(row_id, None, identity, problem=f"{self._config.id_column} is NULL")
        if not isinstance(data, str) or not isinstance(self._table.c[self._config.data_column].type, JSON):
            return PolledRow(row_id, data, identity)
        try:
            return PolledRow(row_id, json.loads(data), identity)
        except (ValueError, RecursionError):
            return PolledRow(row_id, None, identity, problem=f"{self._config.data_column} is not JSON")

    def _inspect(self, session: Any) -> None:
        import sqlalchemy
        from sqlalchemy.exc import NoSuchTableError

        connection = session.connection()
        self._holds_locks = self._wants_locks and connection.dialect.name in _DIALECTS_THAT_SKIP_LOCKED
        name, schema = self._parts
        try:
            found = {
                column["name"]: column["type"]
                for column in sqlalchemy.inspect(connection).get_columns(name, schema=schema)
            }
        except NoSuchTableError:
            raise ConfigurationError(f"the database has no table '{self.name}'") from None
        self._require_columns(found)
        given = self._given_table
        columns = (sqlalchemy.Column(column, found[column]) for column in self._config.columns)
        self._table = sqlalchemy.Table(name, sqlalchemy.MetaData(), *columns, schema=schema) if given is None else given

    def _require_columns(self, found: Collection[str]) -> None:
        known = set(found) if self._given_table is None else set(found) & set(self._given_table.c.keys())
        for column in self._config.columns:
            if column not in known:
                raise ConfigurationError(
                    f"the table '{self.name}' has no column '{column}'; it has {', '.join(sorted(known))}"
                )

    @property
    def _given_table(self) -> Any:
        table = self._config.table
        return None if isinstance(table, str) else getattr(table, "__table__", table)

    @property
    def _parts(self) -> tuple[str, str | None]:
        given = self._given_table
        if given is not None:
            return given.name, given.schema
        schema, _, name = self._config.table.rpartition(".")
        return name, schema or None

    @contextmanager
    def _explaining(self, kind: type[DatabaseError] = DatabaseError) -> Iterator[None]:
        from sqlalchemy.exc import SQLAlchemyError, StatementError

        try:
            yield
        except (SQLAlchemyError, OSError) as error:
            # of a statement's error only the driver's words, and of them the first line: SQLAlchemy repeats the bound
            # values, and PostgreSQL the row
            reason = str(error.orig if isinstance(error, StatementError) else error).partition("\n")[0]
            raise kind(f"polling the table '{self.name}' failed: {reason}"[:500]) from error


def _identity_part(value: Any) -> str:
    # drivers give a time in the session's zone, and another process may have another
    is_aware = isinstance(value, datetime) and value.tzinfo is not None
    return str(value.astimezone(UTC) if is_aware else value)


def session_opener(database: Any) -> OpenSession:
    """Return what opens a session on anything with `session()`, an `AsyncEngine` or a session factory."""
    if callable(getattr(database, "session", None)):
        method: OpenSession = database.session
        return method
    from sqlalchemy.ext.asyncio import AsyncEngine, async_sessionmaker

    if isinstance(database, AsyncEngine):
        return async_sessionmaker(database)
    if isinstance(database, async_sessionmaker):
        return database
    raise ConfigurationError(
        f"database must have session(), or be an AsyncEngine or an async_sessionmaker, not {type(database).__name__}"
    )
