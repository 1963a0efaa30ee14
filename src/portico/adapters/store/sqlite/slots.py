"""Limits: which runs have which slots, and which jobs are parked until there is room.

All of it happens in the transaction of what is done to the jobs: no run is without its slots at any moment, and a slot
is free as soon as its run is over.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from portico.adapters.job_slots import Slot, SlotRules
from portico.adapters.store.sqlite.rows import ID, QUEUE, SEQ, Row, job_from_row
from portico.adapters.store.sqlite.statements import chunks, statement

_UNUSED_SLOT_LETS_GO = 1_000
"""Its limit may have been taken out of the configuration."""


@dataclass(slots=True)
class _Room:
    """What is left of a slot in this transaction."""

    slot: int
    left: int
    held_until: int | None


class Gate:
    """Admits the jobs of a line, each with all of its slots, or parks them; for one transaction."""

    def __init__(self, connection: sqlite3.Connection, rules: SlotRules, now: int) -> None:
        self._connection = connection
        self._rules = rules
        self._now = now
        self._rooms: dict[str, _Room] = {}
        self._went_on: set[str] = set()

    def admit(self, line: Iterable[Row], wanted: int) -> tuple[list[int], frozenset[str]]:
        """Let up to `wanted` jobs pass, and return their seqs; those behind the last one are not looked at.

        Where a job has to wait for another slot than those did that it leaves free, they go on, also before who is
        behind it: their queues are returned too.
        """
        admitted: list[int] = []
        holds: list[Row] = []
        parked: list[Row] = []
        went_on = self._went_on = set()
        for row in line:
            rooms = [self._room(slot) for slot in self._rules.slots_of(job_from_row(row))]
            if row[QUEUE] in went_on:
                break
            full = next((room for room in rooms if room.left < 1), None)
            if full is not None:
                parked.append((full.slot, row[SEQ]))
                for room in rooms:
                    went_on |= _unpark(self._connection, room.slot, room.left)
                continue
            for room in rooms:
                room.left -= 1
                holds.append((room.slot, row[ID], room.held_until))
            admitted.append(row[SEQ])
            if len(admitted) == wanted:
                break
        self._connection.executemany(statement("slot_take"), holds)
        self._connection.executemany(statement("job_park"), parked)
        return admitted, frozenset(went_on)

    def _room(self, slot: Slot) -> _Room:
        room = self._rooms.get(slot.name)
        if room is None:
            room = self._rooms[slot.name] = self._look_up(slot)
        return room

    def _look_up(self, slot: Slot) -> _Room:
        found = self._connection.execute(statement("slot_get"), (self._now, slot.name)).fetchone()
        slot_id, size, taken = found or (0, 0, 0)
        if size != slot.size:
            [[slot_id]] = self._connection.execute(statement("slot_remember"), (slot.name, slot.size)).fetchall()
            self._went_on |= _unpark(self._connection, slot_id, slot.size - taken)
        held_until = None if slot.window_seconds is None else self._now + round(slot.window_seconds * 1_000_000)
        return _Room(slot_id, slot.size - taken, held_until)


def free(connection: sqlite3.Connection, job_ids: Sequence[bytes], now: int) -> frozenset[str]:
    """Give back what runs that are over held, and return the queues whose jobs may have waited for it."""
    freed: set[int] = set()
    for chunk in chunks(job_ids):
        freed.update(slot for (slot,) in connection.execute(statement("slot_free", len(chunk)), chunk))
    return _unpark_for(connection, freed, now)


def free_by_time(connection: sqlite3.Connection, now: int) -> frozenset[str]:
    """Forget starts that count no longer, and return the queues whose jobs may have waited for that."""
    freed = {slot for (slot,) in connection.execute(statement("slot_free_by_time"), (now,)).fetchall()}
    return _unpark_for(connection, freed, now)


def pass_on(connection: sqlite3.Connection, job_id: UUID, now: int) -> frozenset[str]:
    """Let others go on who wait for a slot that a ready job, now called off, had waited for; return their queues."""
    found = connection.execute(statement("slot_of_ready"), (job_id.bytes,)).fetchone()
    return frozenset() if found is None else _unpark_for(connection, found, now)


def next_free(connection: sqlite3.Connection, queue_name: str) -> int | None:
    """Return when time alone may make room for a parked job of the queue."""
    found = connection.execute(statement("slot_next_free"), (queue_name,)).fetchone()
    return None if found is None else found[0]


def sweep(connection: sqlite3.Connection, now: int, at_least: int) -> frozenset[str]:
    """Let everybody go who waits for a slot with room, whatever became of its limit; return their queues.

    Those whom `at_least` lets go without room find out whether a limit was raised.
    """
    connection.execute(statement("slot_free_ended"))
    names = set(free_by_time(connection, now))
    for (slot,) in connection.execute(statement("slot_parked")).fetchall():
        names |= _unpark(connection, slot, max(at_least, _room(connection, slot, now, if_unused=_UNUSED_SLOT_LETS_GO)))
    connection.execute(statement("slot_forget"))
    return frozenset(names)


def _unpark_for(connection: sqlite3.Connection, slots: Iterable[int], now: int) -> frozenset[str]:
    names: set[str] = set()
    for slot in slots:
        names |= _unpark(connection, slot, _room(connection, slot, now))
    return frozenset(names)


def _room(connection: sqlite3.Connection, slot: int, now: int, *, if_unused: int = 0) -> int:
    size, taken = connection.execute(statement("slot_room"), (now, slot)).fetchone() or (0, 0)
    return int(size - taken if taken else max(size, if_unused))


def _unpark(connection: sqlite3.Connection, slot: int, room: int) -> set[str]:
    """Make the first jobs of each queue ready that wait for the slot: any queue may be without a worker."""
    if room < 1:
        return set()
    names = {name for (name,) in connection.execute(statement("slot_queues"), (slot,)).fetchall()}
    connection.executemany(statement("job_unpark"), [(name, slot, room) for name in names])
    return names
