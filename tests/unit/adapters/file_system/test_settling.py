"""When a file is complete."""

from dataclasses import replace
from itertools import takewhile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portico.adapters.file_system.settling import FileStamp, Judgement, Snapshot, Version, judge

SETTLE_SECONDS = 2.0
SECOND_NS = 1_000_000_000
NEW = FileStamp(size=1, mtime_ns=100 * SECOND_NS, ctime_ns=100 * SECOND_NS, inode=7)


def _look(
    before: Judgement,
    files: dict[str, FileStamp],
    at: float,
    *,
    seen: dict[str, Version] | None = None,
    temporary: frozenset[FileStamp] = frozenset(),
    took: float = 0.0,
) -> Judgement:
    snapshot = Snapshot(
        files=files, temporary=frozenset(stamp.identity for stamp in temporary), began=at, ended=at + took
    )
    return judge(before, snapshot, seen or {}, settle_seconds=SETTLE_SECONDS)


def test_a_new_file_waits_until_it_was_still_for_long_enough() -> None:
    first = _look(Judgement(), {"a": NEW}, 10)
    second = _look(first, {"a": NEW}, 11.9)
    third = _look(second, {"a": NEW}, 12)

    assert (first.complete, second.complete, third.complete) == ((), (), ("a",))


@pytest.mark.parametrize("change", [{"size": 2}, {"mtime_ns": 101 * SECOND_NS, "ctime_ns": 101 * SECOND_NS}])
def test_a_change_of_size_or_time_begins_the_wait_again(change: dict[str, int]) -> None:
    first = _look(Judgement(), {"a": NEW}, 10)
    second = _look(first, {"a": replace(NEW, **change)}, 12)
    third = _look(second, {"a": replace(NEW, **change)}, 14)

    assert (second.complete, third.complete) == ((), ("a",))


def test_new_attributes_do_not_begin_the_wait_again() -> None:
    first = _look(Judgement(), {"a": NEW}, 10)

    second = _look(first, {"a": replace(NEW, ctime_ns=NEW.ctime_ns + 1)}, 12)

    assert second.complete == ("a",)


def test_an_inode_that_differs_at_each_look_does_not_keep_a_file_waiting() -> None:
    first = _look(Judgement(), {"a": NEW}, 10)

    assert _look(first, {"a": replace(NEW, inode=8)}, 12).complete == ("a",)


def test_the_time_that_a_look_takes_does_not_count_as_stillness() -> None:
    first = _look(Judgement(), {"a": NEW}, 10, took=5)
    second = _look(first, {"a": NEW}, 16, took=5)
    third = _look(second, {"a": NEW}, 21)

    assert (second.complete, third.complete) == ((), ("a",))


def test_a_file_moved_in_that_was_at_rest_before_is_complete_at_once() -> None:
    moved = replace(NEW, ctime_ns=NEW.mtime_ns + 2 * SECOND_NS)

    assert _look(Judgement(), {"a": moved}, 10).complete == ("a",)


def test_a_file_moved_in_right_after_it_was_written_waits() -> None:
    moved = replace(NEW, ctime_ns=NEW.mtime_ns + 2 * SECOND_NS - 1)

    assert _look(Judgement(), {"a": moved}, 10).complete == ()


def test_a_file_renamed_from_a_temporary_name_is_complete_at_once() -> None:
    first = _look(Judgement(), {}, 10, temporary=frozenset({NEW}))

    assert _look(first, {"a": NEW}, 10.1).complete == ("a",)


def test_a_link_to_a_file_that_still_has_its_temporary_name_waits_until_that_is_gone() -> None:
    temporary = frozenset({NEW})
    first = _look(Judgement(), {}, 10, temporary=temporary)
    linked = _look(first, {"a": NEW}, 10.1, temporary=temporary)
    unlinked = _look(linked, {"a": NEW}, 10.2)

    assert (linked.complete, unlinked.complete) == ((), ("a",))


def test_a_new_file_with_the_inode_of_a_deleted_temporary_one_waits() -> None:
    first = _look(Judgement(), {}, 10, temporary=frozenset({NEW}))

    second = _look(first, {"a": replace(NEW, mtime_ns=NEW.mtime_ns + 1, ctime_ns=NEW.ctime_ns + 1)}, 10.1)

    assert second.complete == ()


def test_a_seen_version_is_neither_complete_nor_waiting() -> None:
    first = _look(Judgement(), {"a": NEW}, 10, seen={"a": NEW.version})
    second = _look(first, {"a": NEW}, 20, seen={"a": NEW.version})

    assert (second.complete, second.waiting) == ((), {})


def test_a_rewritten_file_is_new() -> None:
    first = _look(Judgement(), {"a": NEW}, 10, seen={"a": (0, 0)})

    assert _look(first, {"a": NEW}, 12, seen={"a": (0, 0)}).complete == ("a",)


def test_a_complete_file_stays_complete_until_it_is_seen() -> None:
    first = _look(Judgement(), {"a": NEW}, 10)
    second = _look(first, {"a": NEW}, 12)

    assert _look(second, {"a": NEW}, 12.1).complete == ("a",)


def test_a_file_that_is_gone_is_forgotten() -> None:
    first = _look(Judgement(), {"a": NEW}, 10)
    second = _look(first, {}, 11)

    assert _look(second, {"a": NEW}, 12).complete == ()


def test_files_come_in_the_order_of_their_times_then_of_their_names() -> None:
    old = replace(NEW, mtime_ns=1, ctime_ns=1)
    files = {"c": NEW, "b": NEW, "z": old}
    first = _look(Judgement(), files, 10)

    assert _look(first, files, 12).complete == ("z", "b", "c")


def test_the_next_look_is_due_when_the_first_file_will_be_complete() -> None:
    first = _look(Judgement(), {"a": NEW}, 10)

    second = _look(first, {"a": NEW, "b": NEW}, 10.5)

    assert second.due_in_seconds == pytest.approx(1.5)
    assert _look(Judgement(), {}, 10).due_in_seconds == float("inf")


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2) | st.none()), max_size=30))
def test_a_file_is_complete_exactly_when_it_was_still_for_long_enough(looks: list[tuple[int, int | None]]) -> None:
    judgement, now, history = Judgement(), 0, list[tuple[int, int | None]]()
    for pause, size in looks:
        now += pause
        history.append((now, size))
        files = {} if size is None else {"a": replace(NEW, size=size)}

        judgement = _look(judgement, files, now)

        unchanged = list(takewhile(lambda look: look[1] == size, reversed(history)))  # noqa: B023 - used at once
        was_still = size is not None and now - unchanged[-1][0] >= SETTLE_SECONDS
        assert (judgement.complete == ("a",)) is was_still
