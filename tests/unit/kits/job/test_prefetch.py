import pytest

from portico.kits.job.prefetch import Prefetch


def test_nothing_is_claimed_ahead_before_a_run_has_ended() -> None:
    assert Prefetch(100).jobs == 0


@pytest.mark.parametrize(
    ("seconds", "jobs"), [(0.0, 400), (0.0001, 400), (0.0125, 400), (0.05, 100), (0.5, 10), (1.0, 5), (1.1, 0), (60, 0)]
)
def test_about_50_milliseconds_of_work_are_claimed_ahead(seconds: float, jobs: int) -> None:
    prefetch = Prefetch(100)

    prefetch.note(seconds)

    assert prefetch.jobs == jobs


def test_the_latest_runs_count_most() -> None:
    prefetch = Prefetch(10)
    for _ in range(50):
        prefetch.note(0.001)
    assert prefetch.jobs == 40

    for _ in range(50):
        prefetch.note(5)
    assert prefetch.jobs == 0
    for _ in range(100):
        prefetch.note(0.001)
    assert prefetch.jobs == 40


def test_jobs_that_had_to_go_back_end_it_until_runs_are_short_again() -> None:
    prefetch = Prefetch(10)
    prefetch.note(0.001)

    prefetch.note_stuck()

    assert prefetch.jobs == 0
    for _ in range(100):
        prefetch.note(0.001)
    assert prefetch.jobs == 40
