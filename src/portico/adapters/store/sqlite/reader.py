"""The connection that only reads, beside the writer."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from typing_extensions import override

from portico.adapters.store.sqlite.connection_thread import ConnectionThread, Outcome, Request, run_alone
from portico.adapters.store.sqlite.failures import explained
from portico.adapters.store.sqlite.open_files import LogState, OpenFiles
from portico.adapters.store.sqlite.schema import connect_reader


class Reader(ConnectionThread):
    """Reads what is committed."""

    _name = "portico-sqlite-reader"

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._connection: sqlite3.Connection | None = None
        self._files = OpenFiles(path)

    @override
    def _connect(self) -> None:
        self._current_connection()

    @override
    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()

    @property
    @override
    def _is_at_rest(self) -> bool:
        return True

    @override
    def _idle(self) -> None:
        pass

    @override
    def _run(self, batch: Sequence[Request]) -> list[Outcome]:
        try:
            connection = self._current_connection()
        except sqlite3.Error as error:
            return [Outcome(request.future, error=explained(error, self._path)) for request in batch]
        return [run_alone(connection, request, self._path) for request in batch]

    def _current_connection(self) -> sqlite3.Connection:
        if self._connection is None or self._files.log_state() is LogState.REPLACED:
            # the writer has saved what was in the old log
            self._disconnect()
            self._connection = None
            self._connection = connect_reader(self._path)
            self._files.note()
        return self._connection
