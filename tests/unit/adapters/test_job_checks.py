"""Which jobs are refused before any store sees them."""

import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portico.adapters.job_store import checked
from portico.exceptions import ValidationError
from portico.ports.job import Job
from portico.runtime.documents import encode

TEXTS = st.text(st.sampled_from('a"\\\0\N{SNOWMAN}\N{GRINNING FACE}'), max_size=20)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda values: st.lists(values) | st.dictionaries(TEXTS | st.integers(), values),
    max_leaves=8,
)


def job(payload: Any) -> Job:
    return Job(uuid.uuid4(), "default", "check.work", payload)


@given(st.dictionaries(TEXTS, VALUES), st.integers(0, 3))
def test_no_payload_passes_that_is_longer_than_the_limit(payload: dict[str, Any], spare: int) -> None:
    length = len(encode(payload, "payload"))
    checked(job(payload), length + spare)
    with pytest.raises(ValidationError, match="payload is"):
        checked(job(payload), length - 1 - spare)


@pytest.mark.parametrize("size", [1, 170, 5_000])
def test_a_payload_of_the_longest_characters_is_measured_at_their_length(size: int) -> None:
    payload = {"rows": [{"\N{GRINNING FACE}" * size: ["\N{GRINNING FACE}" * size]}]}
    length = len(encode(payload, "payload"))
    checked(job(payload), length)
    with pytest.raises(ValidationError, match="payload is"):
        checked(job(payload), length - 1)


def test_a_payload_that_contains_itself_is_refused() -> None:
    rows: list[Any] = []
    rows.append(rows)
    with pytest.raises(ValidationError, match="not JSON"):
        checked(job({"rows": rows}), 10**12)


@pytest.mark.parametrize("payload", [None, 5, "text", ["list"]])
def test_a_payload_that_is_no_dictionary_is_refused(payload: Any) -> None:
    with pytest.raises((AttributeError, TypeError)):
        checked(job(payload))
