"""Waiting longer each time."""

from hypothesis import given
from hypothesis import strategies as st

from portico.runtime.backoff import Backoff


def test_each_wait_is_twice_the_last_up_to_the_cap() -> None:
    backoff = Backoff(base_seconds=1.0, cap_seconds=10.0)
    assert [backoff.delay_seconds(attempt) for attempt in range(1, 7)] == [1, 2, 4, 8, 10, 10]


@given(st.integers(min_value=1, max_value=10**9), st.floats(0, 1), st.floats(0, 1, exclude_max=True))
def test_a_wait_is_never_negative_nor_beyond_the_cap(attempt: int, jitter: float, luck: float) -> None:
    backoff = Backoff(base_seconds=0.5, cap_seconds=30.0, jitter=jitter, random=lambda: luck)
    assert 0 <= backoff.delay_seconds(attempt) <= 30
