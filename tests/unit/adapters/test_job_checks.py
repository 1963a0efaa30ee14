"""Which jobs are refused before any store sees them."""

import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portico.adapters.job_checks import check_result, encoded_payload
from portico.exceptions import ValidationError
from portico.ports.job import MAX_RESULT_BYTES, Job
from portico.runtime.documents import encode, utf8_length

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
    text = encode(payload, "payload")
    assert encoded_payload(job(payload), len(text) + spare) == text
    with pytest.raises(ValidationError, match="payload is"):
        encoded_payload(job(payload), len(text) - 1 - spare)


def test_a_payload_that_contains_itself_is_refused() -> None:
    rows: list[Any] = []
    rows.append(rows)
    with pytest.raises(ValidationError, match="not JSON"):
        encoded_payload(job({"rows": rows}), 10**12)


@given(st.dictionaries(TEXTS, VALUES))
def test_a_result_passes_whose_json_is_no_longer_than_is_kept(result: dict[str, Any]) -> None:
    check_result({"kept": result})
    with pytest.raises(ValidationError, match="result is"):
        check_result({"kept": result, "more": "x" * MAX_RESULT_BYTES})


@pytest.mark.parametrize("size", [1, 170, 5_000])
def test_a_result_of_the_longest_characters_is_measured_at_their_length(size: int) -> None:
    result = {"rows": [{"\N{GRINNING FACE}" * size: ["\N{GRINNING FACE}" * size]}]}
    spare = MAX_RESULT_BYTES - utf8_length({**result, "x": ""}, "result")
    check_result({**result, "x": "x" * spare})
    with pytest.raises(ValidationError, match="result is"):
        check_result({**result, "x": "x" * (spare + 1)})
