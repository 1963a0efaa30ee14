"""What the body of a delivery says, once it is known whose it is."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from email.message import Message
from enum import Enum
from functools import lru_cache
from typing import Any, NoReturn, Self
from urllib.parse import parse_qsl

from portico.adapters.http.json_body import Decode
from portico.adapters.http.problems import Refusal
from portico.exceptions import ValidationError

_MAX_FIELDS = 1_000
_FORM = "application/x-www-form-urlencoded"
_UTF_8 = frozenset({"utf-8", "utf8", "us-ascii"})


class BodyFormat(Enum):
    """What a provider sends."""

    JSON = "json"
    FORM = "form"
    TEXT = "text"
    JSON_OR_FORM = "json or form"
    """A form with the field `payload` means the JSON in it."""
    JSON_OR_PAYLOAD_FORM = "json or a form with a payload"
    ANY = "any"
    """JSON where it is declared, else text."""


@dataclass(frozen=True, kw_only=True)
class MediaType:
    """What a Content-Type says."""

    name: str
    charset: str = "utf-8"

    @classmethod
    @lru_cache(maxsize=256)
    def of(cls, declared: str | None) -> Self:
        """Return what is declared; nothing has the name ''."""
        if not declared:
            return cls(name="")
        message = Message()
        message["Content-Type"] = declared
        return cls(name=message.get_content_type(), charset=str(message.get_param("charset", "utf-8")).lower())

    @property
    def is_declared(self) -> bool:
        """Whether anything is said."""
        return self.name != ""

    @property
    def is_form(self) -> bool:
        """Whether it is a form of fields."""
        return self.name == _FORM

    @property
    def is_json(self) -> bool:
        """Whether it is JSON, or a format made of it."""
        is_application = self.name.startswith("application/")
        return self.name == "application/json" or (is_application and self.name.endswith("+json"))


async def read_content(body: bytes, media_type: MediaType, body_format: BodyFormat, decode: Decode) -> Any:
    """Return what the body says, in JSON's own types.

    Raises:
        ValidationError: it is not what it should be.
        Refusal: 415, it is JSON and is declared as something else.

    """
    if body_format is BodyFormat.TEXT or (body_format is BodyFormat.ANY and not media_type.is_json):
        return read_text(body)
    if body_format is BodyFormat.FORM:
        return _read_form(body)
    if media_type.is_form and body_format in (BodyFormat.JSON_OR_FORM, BodyFormat.JSON_OR_PAYLOAD_FORM):
        return await _read_form_or_payload(body, body_format, decode)
    value = await decode(body)
    # after decoding: what is not JSON is a 400, whatever it says it is
    if media_type.is_declared and not (media_type.is_json and media_type.charset in _UTF_8):
        raise Refusal(
            415,
            "Content-Type must be application/json",
            code="unsupported_media_type",
            headers={"Accept-Post": "application/json"},
        )
    return value


def accepted(media_type: MediaType, content_types: Collection[str], body_format: BodyFormat) -> MediaType:
    """Return what a body is read as whose sender may call it one of `content_types`.

    Raises:
        Refusal: 415, it is called something else.

    """
    if media_type.name not in content_types:
        message = f"Content-Type must be {' or '.join(content_types)}"
        headers = {"Accept-Post": ", ".join(content_types)}
        raise Refusal(415, message, code="unsupported_media_type", headers=headers)
    may_be_form = body_format in (BodyFormat.JSON_OR_FORM, BodyFormat.JSON_OR_PAYLOAD_FORM)
    # whatever else its sender calls it, it is what the source says
    return media_type if media_type.is_json or (may_be_form and media_type.is_form) else MediaType(name="")


def read_text(body: bytes) -> str:
    """Return the body as text.

    Raises:
        ValidationError: it is not UTF-8, or holds the character NUL.

    """
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        _refuse("it is not UTF-8")
    _require_no_nul([text])
    return text


async def _read_form_or_payload(body: bytes, body_format: BodyFormat, decode: Decode) -> Any:
    fields = _read_form(body)
    payload = fields.get("payload")
    if isinstance(payload, str):
        return await decode(payload.encode())
    if body_format is BodyFormat.JSON_OR_PAYLOAD_FORM:
        _refuse("the form has no single field 'payload'")
    return fields


def _read_form(body: bytes) -> dict[str, Any]:
    try:
        text = body.decode("utf-8")
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=_MAX_FIELDS)
    except ValueError:
        _refuse("it is no form of at most 1,000 fields in UTF-8")
    fields: dict[str, Any] = {}
    for name, value in pairs:
        _require_no_nul((name, value))
        fields.setdefault(name, []).append(value)
    # a field that is there once is a text, as readers of forms expect
    return {name: values[0] if len(values) == 1 else values for name, values in fields.items()}


def _require_no_nul(texts: Iterable[str]) -> None:
    if any("\0" in text for text in texts):
        _refuse("a text holds the character NUL")


def _refuse(rule: str) -> NoReturn:
    raise ValidationError(f"Request body is not valid: {rule}", details={"code": "invalid_body"}) from None
