"""A limit that means nothing is refused where it is written."""

import math
from collections.abc import Callable
from typing import Any

import pytest

from portico.exceptions import ConfigurationError
from portico.ports.job_limits import ConcurrencyLimit, JobLimit, RateLimit


@pytest.mark.parametrize("count", [0, -1, 1.5, True, "3", None])
@pytest.mark.parametrize(("kind", "name"), [(ConcurrencyLimit, "max_running"), (RateLimit, "max_started")])
def test_a_count_is_a_whole_number_of_at_least_one(kind: Callable[[Any], JobLimit], name: str, count: object) -> None:
    with pytest.raises(ConfigurationError, match=f"{name} must be a whole number of at least 1, not {count!r}"):
        kind(count)


@pytest.mark.parametrize("seconds", [0, -1, 0.0009, 31_622_401, 1e20, math.inf, math.nan])
def test_a_window_is_between_a_millisecond_and_a_year(seconds: float) -> None:
    with pytest.raises(ConfigurationError, match=r"per_seconds must be between 0\.001 and 31622400 \(366 days\)"):
        RateLimit(1, per_seconds=seconds)


@pytest.mark.parametrize("seconds", [0.001, 1, 31_622_400])
def test_the_ends_of_the_range_of_windows_belong_to_it(seconds: float) -> None:
    assert RateLimit(1, per_seconds=seconds).per_seconds == seconds


@pytest.mark.parametrize("field", ["queue_name", "job_type", "key"])
@pytest.mark.parametrize("value", ["", 5, ["a"]])
@pytest.mark.parametrize("kind", [ConcurrencyLimit, RateLimit])
def test_what_narrows_a_limit_is_a_name(kind: Callable[..., JobLimit], field: str, value: object) -> None:
    with pytest.raises(ConfigurationError, match=f"{field} of a limit must be a name or None"):
        kind(1, **{field: value})


@pytest.mark.parametrize("key", [".", "customer.", ".id", "customer..id"])
def test_a_key_is_a_place_in_the_payload(key: str) -> None:
    with pytest.raises(ConfigurationError, match=r"key must be a place in the payload such as 'customer\.id'"):
        ConcurrencyLimit(1, key=key)
