"""JSON documents as stores keep them: text that every store can hold, whatever characters are in it."""

import json
import json.encoder
from collections.abc import Callable
from typing import Any

from portico.exceptions import ValidationError


def compact_encoder() -> Callable[[object], str]:
    """Return what `json.JSONEncoder` encodes with: it makes a new one for each document, which takes as long again."""
    # a circle is as good an error without the book-keeping: RecursionError
    whole = json.JSONEncoder(ensure_ascii=True, allow_nan=False, check_circular=False, separators=(",", ":"))
    make = getattr(json.encoder, "c_make_encoder", None)
    if make is None:
        return whole.encode
    parts = make(
        markers=None,
        default=whole.default,
        encoder=json.encoder.encode_basestring_ascii,
        indent=None,
        key_separator=":",
        item_separator=",",
        sort_keys=False,
        skipkeys=False,
        allow_nan=False,
    )
    return lambda document: "".join(parts(document, 0))


# ASCII only: lone surrogates and NUL characters stay escaped, which no store can refuse
_encode = compact_encoder()
_encode_utf8 = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode
_decode = json.JSONDecoder().raw_decode


def encode(document: object, name: str) -> str:
    """Return the text of a document; `name` says in an error which one is not JSON."""
    return _encoded(_encode, document, name)


def utf8_length(document: object, name: str) -> int:
    """Return how many bytes the document has as others write it: in UTF-8, with nothing escaped that need not be."""
    return len(_encoded(_encode_utf8, document, name).encode(errors="surrogatepass"))


def decode(text: str) -> Any:
    """Return the document of a text that `encode` made; every call returns a new one."""
    return _decode(text)[0]


def storable(text: str | None) -> str | None:
    """Return the text with what UTF-8 cannot hold written out; file names in error messages have such."""
    return None if text is None else text.encode("utf-8", "backslashreplace").decode()


def _encoded(encoder: Callable[[object], str], document: object, name: str) -> str:
    try:
        return encoder(document)
    except (TypeError, ValueError, RecursionError) as error:
        raise ValidationError(f"{name} is not JSON: {error}", details={"document": name}, cause=error) from error
