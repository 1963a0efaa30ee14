from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st
from typing_extensions import override

from portico.kits.job.job_ids import JobIds
from portico.ports.clock import Clock
from portico.testing import FakeClock

START = datetime(2030, 1, 1, tzinfo=UTC)


class JumpingClock(Clock):
    def __init__(self, jumps: list[int]) -> None:
        self._moment = START
        self._jumps = iter(jumps)

    @override
    def now(self) -> datetime:
        self._moment += timedelta(milliseconds=next(self._jumps))
        return self._moment

    @override
    def monotonic(self) -> float:
        raise NotImplementedError

    @override
    async def sleep(self, seconds: float) -> None:
        raise NotImplementedError


@settings(deadline=None)
@given(st.lists(st.integers(-100_000, 100_000), min_size=2, max_size=200))
def test_ids_only_grow_whatever_the_clock_does(jumps: list[int]) -> None:
    ids = JobIds(JumpingClock(jumps))

    made = [ids.next() for _ in jumps]

    assert made == sorted(set(made))


def test_ids_of_one_moment_are_many_and_in_order() -> None:
    ids = JobIds(FakeClock(START))

    made = [ids.next() for _ in range(10_000)]

    assert made == sorted(set(made))


def test_two_makers_at_the_same_moment_make_different_ids() -> None:
    assert JobIds(FakeClock(START)).next() != JobIds(FakeClock(START)).next()


def test_an_id_is_a_uuid_of_version_7_with_the_time_in_front() -> None:
    made = JobIds(FakeClock(START)).next()

    assert (made.version, made.variant) == (7, "specified in RFC 4122")
    assert made.int >> 80 == int(START.timestamp() * 1000)
