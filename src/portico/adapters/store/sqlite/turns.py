"""Fairness: the turns of partitions within one priority, as a rank that each job gets when it is stored."""

import sqlite3
from collections.abc import Sequence

from portico.adapters.store.sqlite.rows import PRIORITY, QUEUE, Row
from portico.adapters.store.sqlite.statements import statement

_Line = tuple[str, int, str]

PARTITION = -2
"""Where a new row has it; the rank is behind it."""
_WITHOUT_KEY = ""


def in_turn(connection: sqlite3.Connection, new_rows: Sequence[Row]) -> Sequence[Row]:
    """Rank new jobs: each behind the last of its partition, and not before those whose turn it is.

    Where nobody has a partition there are no turns: first in, first out.
    """
    taking = _queues_with_turns(connection, new_rows)
    if not taking:
        return new_rows
    last: dict[_Line, int] = {}
    return [_ranked(connection, row, last) if row[QUEUE] in taking else row for row in new_rows]


def _queues_with_turns(connection: sqlite3.Connection, new_rows: Sequence[Row]) -> set[str]:
    taking = {row[QUEUE] for row in new_rows if row[PARTITION] is not None}
    for name in {row[QUEUE] for row in new_rows} - taking:
        [[are_taken]] = connection.execute(statement("turns_are_taken"), (name,)).fetchall()
        if are_taken:
            taking.add(name)
    return taking


def _ranked(connection: sqlite3.Connection, row: Row, last: dict[_Line, int]) -> Row:
    line = row[QUEUE], row[PRIORITY], row[PARTITION] or _WITHOUT_KEY
    last[line] = last[line] + 1 if line in last else _first_rank(connection, line)
    return (*row[:PARTITION], line[2], last[line])


def _first_rank(connection: sqlite3.Connection, line: _Line) -> int:
    queue_name, priority, partition = line
    head = connection.execute(statement("turn_now"), (queue_name, priority)).fetchone()
    rank_now, partition_now = head or (0, partition)
    [[last]] = connection.execute(statement("turn_last"), line).fetchall()
    if last is None and partition_now is None and partition == _WITHOUT_KEY:
        # they came before anybody had a partition, and are of one with this one
        last = rank_now
    return int(rank_now if last is None else max(rank_now, last + 1))
