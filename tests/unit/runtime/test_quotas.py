"""Quotas as they are written down."""

import pytest

from portico.exceptions import ConfigurationError
from portico.runtime.quotas import Quota


@pytest.mark.parametrize(
    ("text", "limit", "seconds"),
    [
        ("100/minute", 100, 60),
        ("1/second", 1, 1),
        (" 5 / 10 seconds ", 5, 10),
        ("20/2hours", 20, 7_200),
        ("1000000/day", 1_000_000, 86_400),
    ],
)
def test_a_quota_is_a_number_and_a_window(text: str, limit: int, seconds: float) -> None:
    assert Quota.parse(text, "quota") == Quota(limit, seconds)


@pytest.mark.parametrize(
    "text", ["", "100", "/minute", "0/minute", "1/0 minutes", "1.5/minute", "-1/minute", "1/week", 5]
)
def test_what_is_no_quota_is_refused_by_the_name_of_its_setting(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"rate_limits\['a'\]"):
        Quota.parse(text, "rate_limits['a']")
