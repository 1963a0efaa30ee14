"""Events on their way."""

from uuid import RFC_4122

from portico.runtime.events import event_id


def test_ids_of_events_differ_and_grow_with_the_time() -> None:
    ids = [event_id() for _ in range(1_000)]

    assert {(each.version, each.variant) for each in ids} == {(7, RFC_4122)}
    assert len(set(ids)) == 1_000
    times = [each.int >> 64 for each in ids]
    assert times == sorted(times)
    assert times[0] < times[-1]
