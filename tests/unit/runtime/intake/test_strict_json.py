import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portico.exceptions import ValidationError
from portico.runtime.intake.strict_json import decode_json

TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS
)
DOCUMENTS = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4))

REFUSED = {
    "empty": b"",
    "only white space": b" \r\n\t ",
    "no JSON": b"not json",
    "trailing garbage": b"{} x",
    "two documents": b"{}{}",
    "trailing comma": b'{"a": 1,}',
    "single quotes": b"{'a': 1}",
    "a comment": b"{} // no",
    "a leading zero": b"[01]",
    "a plus": b"[+1]",
    "a bare point": b"[.5]",
    "a point without digits": b"[1.]",
    "a hexadecimal number": b"[0x10]",
    "an unfinished escape": b'["\\u12"]',
    "an unknown escape": b'["\\x41"]',
    "a raw line break in a text": b'["a\nb"]',
    "NaN": b'{"a": NaN}',
    "infinity": b'{"a": Infinity}',
    "minus infinity": b'{"a": -Infinity}',
    "a number that overflows": b'{"a": 1e400}',
    "a key twice": b'{"a": 1, "a": 2}',
    "a key twice inside": b'{"p": [{"a": 1, "b": 0, "a": 1}]}',
    "a key twice, once escaped": b'{"a": 1, "\\u0061": 2}',
    "a lone surrogate": b'{"a": "\\ud800"}',
    "a lone surrogate in a key": b'{"\\udfff": 1}',
    "NUL": b'{"a": "x\\u0000y"}',
    "NUL in a key": b'{"\\u0000": 1}',
    "an integer of 64 bits": b"[9223372036854775808]",
    "a negative integer beyond 64 bits": b"[-9223372036854775809]",
    "an integer of 5,000 digits": b"[" + b"9" * 5_000 + b"]",
    "UTF-16": '{"a": 1}'.encode("utf-16"),
    "UTF-16 without a mark": '{"a": 1}'.encode("utf-16-le"),
    "UTF-32": '{"a": 1}'.encode("utf-32"),
    "a byte order mark": b'\xef\xbb\xbf{"a": 1}',
    "bytes that are not UTF-8": b'["\xff"]',
    "an overlong encoding": b'["\xc0\xaf"]',
    "a surrogate in UTF-8": b'["\xed\xa0\x80"]',
}


@pytest.mark.webhook_case(22, 23, 24, 25, 26, 27, 31, 33, 34, 35, 36, 37, 38, 39, 40)
@pytest.mark.parametrize("body", REFUSED.values(), ids=REFUSED.keys())
def test_what_is_not_plain_json_is_refused(body: bytes) -> None:
    with pytest.raises(ValidationError, match=r"^Request body is not valid JSON: "):
        decode_json(body)


@pytest.mark.webhook_case(42, 43)
@given(DOCUMENTS)
def test_every_document_comes_back_as_it_was(document: Any) -> None:
    for body in (json.dumps(document), json.dumps(document, ensure_ascii=False)):
        assert repr(decode_json(body.encode())) == repr(document)


@pytest.mark.webhook_case(43)
@given(st.binary(max_size=200) | st.text('[]{}",:0123456789eE+-.\\u tfnNaI').map(str.encode))
def test_arbitrary_bytes_are_decoded_as_the_standard_library_does_or_refused(body: bytes) -> None:
    try:
        value = decode_json(body)
    except ValidationError:
        return
    assert repr(value) == repr(json.loads(body))


@pytest.mark.webhook_case(28, 29)
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}"), ('[{"a":', "}]")])
def test_sixty_four_levels_are_the_most(opening: str, closing: str) -> None:
    levels = 64 // opening.replace("{", "[").count("[")

    decode_json((opening * levels + "0" + closing * levels).encode())
    with pytest.raises(ValidationError, match="deeper than 64 levels"):
        decode_json((opening * (levels + 1) + "0" + closing * (levels + 1)).encode())


@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"a":' * 100_000, b"[" * 100_000 + b"]" * 100_000])
def test_a_hundred_thousand_levels_do_no_harm(body: bytes) -> None:
    with pytest.raises(ValidationError):
        decode_json(body)


def test_brackets_in_a_text_are_no_levels() -> None:
    assert decode_json(b'{"a": "' + b"[" * 1_000 + b'"}') == {"a": "[" * 1_000}


@pytest.mark.webhook_case(32)
def test_the_ends_of_64_bits_pass() -> None:
    assert decode_json(b"[9223372036854775807, -9223372036854775808]") == [2**63 - 1, -(2**63)]


def test_a_pair_of_surrogates_is_a_character() -> None:
    assert decode_json(b'"\\ud83d\\ude00"') == "\N{GRINNING FACE}"


def test_a_refusal_tells_the_place_and_not_the_content() -> None:
    with pytest.raises(ValidationError) as caught:
        decode_json(b'{"password": hunter2}')

    assert "line 1 column 14" in str(caught.value)
    assert "hunter2" not in str(caught.value)
    assert caught.value.__suppress_context__
