"""JSON documents as stores keep them."""

import json
import json.encoder
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portico.exceptions import ValidationError
from portico.runtime.documents import compact_encoder, decode, encode

TEXTS = st.text(st.characters(codec=None, exclude_categories=()))
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner),
)


@given(DOCUMENTS)
def test_a_document_is_what_json_dumps_makes_of_it_and_comes_back(document: Any) -> None:
    text = encode(document, "payload")

    assert text == json.dumps(document, separators=(",", ":"))
    assert text.isascii()
    assert json.dumps(decode(text)) == json.dumps(document)


@given(DOCUMENTS)
def test_an_interpreter_without_the_encoder_in_c_makes_the_same(document: Any) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json.encoder, "c_make_encoder", None)
        encode_slowly = compact_encoder()

    assert encode_slowly(document) == encode(document, "payload")


def _circle() -> list[Any]:
    circle: list[Any] = []
    circle.append(circle)
    return circle


@pytest.mark.parametrize("document", [_circle(), {"x": float("nan")}, {"x": object()}, {(1, 2): 3}])
def test_what_is_not_json_is_refused_by_name_and_the_next_document_is_taken(document: object) -> None:
    with pytest.raises(ValidationError, match="metadata is not JSON"):
        encode(document, "metadata")

    assert encode({"x": [1]}, "metadata") == '{"x":[1]}'
