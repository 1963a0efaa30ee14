"""Which slots a job needs, and which limits go together."""

from typing import Any
from uuid import uuid4

import pytest

from portico.adapters.job_slots import SlotRules, checked_limits
from portico.exceptions import ConfigurationError
from portico.ports.job import Job
from portico.ports.job_limits import ConcurrencyLimit, RateLimit


def job_with(payload: dict[str, Any], *, queue_name: str = "default", job_type: str = "mail.send") -> Job:
    return Job(uuid4(), queue_name, job_type, payload)


def names(rules: SlotRules, payload: dict[str, Any]) -> set[str]:
    return {slot.name for slot in rules.slots_of(job_with(payload))}


def test_values_of_other_types_are_other_slots() -> None:
    rules = SlotRules([ConcurrencyLimit(1, key="customer.id")])
    values = [1, "1", 1.5, True, False, 0, "", [1], {"a": 1}, "é", "x" * 500]
    assert len(set().union(*(names(rules, {"customer": {"id": value}}) for value in values))) == len(values)


@pytest.mark.parametrize("payload", [{}, {"customer": None}, {"customer": {"id": None}}, {"customer": [1]}])
def test_a_job_without_the_key_needs_no_slot(payload: dict[str, Any]) -> None:
    assert names(SlotRules([ConcurrencyLimit(1, key="customer.id")]), payload) == set()


def test_a_slot_is_called_alike_whatever_its_size() -> None:
    small, large = (
        SlotRules([ConcurrencyLimit(1, queue_name="default")]),
        SlotRules([ConcurrencyLimit(9, queue_name="default")]),
    )
    assert names(small, {}) == names(large, {})


def test_limits_of_other_jobs_and_of_other_kinds_are_apart() -> None:
    limits = [ConcurrencyLimit(1), ConcurrencyLimit(1, queue_name="default"), ConcurrencyLimit(1, job_type="mail.send")]
    rates = [RateLimit(1), RateLimit(1, per_seconds=60), RateLimit(1, queue_name="default")]
    assert len(names(SlotRules([*limits, *rates]), {})) == 6


def test_a_long_name_is_cut_to_a_digest() -> None:
    rules = SlotRules([ConcurrencyLimit(1, key="customer")])
    [name] = names(rules, {"customer": "x" * 10_000})
    assert len(name) < 200


def test_only_queues_that_a_limit_is_about_are_concerned() -> None:
    rules = SlotRules([ConcurrencyLimit(1, queue_name="mail")])
    assert (rules.concern("mail"), rules.concern("default")) == (True, False)
    assert SlotRules([RateLimit(1, job_type="mail.send")]).concern("default")
    assert not SlotRules([]).concern("default")


@pytest.mark.parametrize(
    "limits",
    [
        [ConcurrencyLimit(1), ConcurrencyLimit(2)],
        [RateLimit(1, key="a"), RateLimit(5, key="a")],
        ["mail"],
        ConcurrencyLimit(1),
    ],
)
def test_limits_that_cannot_go_together_are_refused(limits: Any) -> None:
    with pytest.raises(ConfigurationError, match="limits"):
        checked_limits(limits)
