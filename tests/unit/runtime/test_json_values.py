import json
import re
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portico.exceptions import ValidationError
from portico.runtime.json_values import MAX_DEPTH, require_json, require_json_object


class Colour(StrEnum):
    RED = "red"


TEXT = st.text(st.characters(exclude_categories=["Cs"]))
LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT
JSON = st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner), max_leaves=20)
NOT_JSON = st.sampled_from(
    [float("nan"), float("inf"), b"x", {1}, datetime(2030, 1, 1, tzinfo=UTC), Decimal(1), object(), "\ud800", 1j]
)
KEYS = st.sampled_from(["a", "items", "odd name", "1", "ü"])


@settings(deadline=None)
@given(JSON)
def test_what_json_gives_back_unchanged_passes(value: Any) -> None:
    assert json.loads(json.dumps(value)) == value

    require_json(value)


@settings(deadline=None)
@given(st.data())
def test_a_refusal_names_a_place_that_exists(data: st.DataObject) -> None:
    bad = data.draw(NOT_JSON)
    value: Any = bad
    for key in data.draw(st.lists(KEYS | st.integers(0, 2), max_size=5)):
        value = [*range(key), value] if isinstance(key, int) else {"other": 1, key: value}

    with pytest.raises(ValidationError) as caught:
        require_json(value)

    place = caught.value.details["path"]
    assert _follow(value, place) is bad
    assert str(caught.value) == f"{place}: {caught.value.details['rule']}"


def _follow(value: Any, place: str) -> Any:
    for name, index, quoted in re.findall(r"\.(\w+)|\[(\d+)\]|\['([^']*)'\]", place.removeprefix("payload")):
        value = value[int(index)] if index else value[name or quoted]
    return value


@pytest.mark.parametrize("key", [1, None, True, "\ud800"])
def test_a_small_object_with_an_odd_key_is_refused(key: Any) -> None:
    with pytest.raises(ValidationError, match="payload: a key "):
        require_json({"a": 1, key: 2})


def test_a_list_that_holds_itself_twice_is_refused_before_it_fills_the_memory() -> None:
    value: list[Any] = []
    value += [value, value]

    with pytest.raises(ValidationError, match="circular"):
        require_json(value)


def test_the_place_reads_like_the_code_that_gets_there() -> None:
    value = {"items": [0, 1, {"the price": {"net": float("nan")}}]}

    with pytest.raises(ValidationError, match=re.escape("body.items[2]['the price'].net: NaN is not JSON")):
        require_json(value, "body")


@pytest.mark.parametrize("value", [Colour.RED, 2**400, -0.0, "\0", {"": []}, (1, ("a",))])
def test_unusual_json_passes(value: Any) -> None:
    require_json(value)


@pytest.mark.parametrize(
    ("value", "rule"),
    [
        (float("-inf"), "infinity"),
        (set(), "set"),
        (b"", "bytes"),
        pytest.param(2**20_000, "too long", id="long-integer"),
        ({1: 2}, "key of type int"),
        ({None: 2}, "key of type NoneType"),
        ({"\udfff": 2}, "key holds a lone surrogate"),
        ("a\ud800", "lone surrogate"),
    ],
)
def test_what_is_not_json_is_refused_with_its_rule(value: Any, rule: str) -> None:
    with pytest.raises(ValidationError, match=rule):
        require_json(value)


def test_the_value_itself_is_never_shown() -> None:
    with pytest.raises(ValidationError) as caught:
        require_json({"card": b"4111-1111"})

    assert "4111" not in str(caught.value)
    assert "4111" not in str(caught.value.details)


def test_a_circle_is_refused() -> None:
    value: list[Any] = []
    value.append(value)

    with pytest.raises(ValidationError, match="circular"):
        require_json(value)


def test_what_is_large_and_odd_is_refused_where_it_is() -> None:
    value = {"rows": [{"id": number, "tags": ["a"]} for number in range(1_000)] + [{"id": float("nan")}]}

    with pytest.raises(ValidationError, match=r"payload\.rows\[1000\]\.id: NaN is not JSON"):
        require_json(value)


def test_nesting_is_limited_far_below_the_recursion_limit() -> None:
    value: Any = "leaf"
    for _ in range(MAX_DEPTH):
        value = [value]

    require_json(value)
    with pytest.raises(ValidationError, match="nested deeper"):
        require_json([value])


def test_a_long_name_is_cut() -> None:
    with pytest.raises(ValidationError) as caught:
        require_json({"k" * 10_000: b""})

    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("value", [[], "text", 1, None])
def test_only_an_object_is_an_object(value: Any) -> None:
    with pytest.raises(ValidationError, match="is not a JSON object"):
        require_json_object(value)
