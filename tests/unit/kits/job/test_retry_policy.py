from typing import Any

import pydantic
import pytest

from portico.exceptions import ConfigurationError, DatabaseError, ValidationError
from portico.kits.job import RetryPolicy
from portico.kits.job.retry_policy import is_worth_retrying
from portico.ports.job import JobResult


def _pydantic_error() -> pydantic.ValidationError:
    with pytest.raises(pydantic.ValidationError) as caught:
        pydantic.TypeAdapter(int).validate_python("x")
    return caught.value


def test_each_retry_waits_twice_as_long_up_to_the_cap() -> None:
    policy = RetryPolicy(base_delay=0.5, max_delay=3, jitter=0)

    assert [policy.delay_seconds(retry) for retry in (1, 2, 3, 4, 1_000_000)] == [0.5, 1, 2, 3, 3]


def test_jitter_only_shortens() -> None:
    policy = RetryPolicy(base_delay=8, max_delay=8, jitter=0.25)

    delays = {policy.delay_seconds(1) for _ in range(100)}

    assert len(delays) > 1
    assert min(delays) >= 6
    assert max(delays) <= 8


@pytest.mark.parametrize(
    "wrong", [{"base_delay": -1}, {"base_delay": 5, "max_delay": 4}, {"jitter": 1.1}, {"jitter": -1}]
)
def test_a_policy_that_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        RetryPolicy(**wrong)


@pytest.mark.parametrize(
    ("error", "result", "expected"),
    [
        (RuntimeError(), None, True),
        (DatabaseError("down"), None, True),
        (TimeoutError(), None, True),
        (ValidationError("wrong"), None, False),
        (_pydantic_error(), None, False),
        (RuntimeError(), JobResult(success=False), True),
        (RuntimeError(), JobResult(success=False, result_data={"retry_recommended": True}), True),
        (RuntimeError(), JobResult(success=False, result_data={"retry_recommended": False}), False),
        (RuntimeError(), JobResult(success=False, result_data={"retry_recommended": 0}), True),
        (ValidationError("wrong"), JobResult(success=False), False),
    ],
)
def test_input_that_is_wrong_stays_wrong(error: Exception, result: JobResult | None, *, expected: bool) -> None:
    assert is_worth_retrying(error, result) is expected
