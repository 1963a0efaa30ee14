"""CloudEvents over HTTP: structured, binary, and batches where they are let in."""

import base64
import re
from typing import Any, NoReturn
from urllib.parse import unquote_to_bytes

from portico.adapters.http.json_body import Decode
from portico.adapters.http.problems import Refusal
from portico.adapters.http.sources.content import MediaType, read_text
from portico.adapters.webhook_signature.signed_request import HeaderFields
from portico.exceptions import ValidationError

_BATCH = "application/cloudevents-batch"
_STRUCTURED = "application/cloudevents"
_VERSION = "1.0"
_REQUIRED = ("id", "source", "type")
_PREFIX = b"ce-"
_NAME = re.compile(r"[a-z0-9]{1,255}")
_MEMBERS = frozenset({"data", "data_base64"})


async def read_cloud_events(
    body: bytes, headers: HeaderFields, media_type: MediaType, decode: Decode, *, batch_limit: int
) -> dict[str, Any] | list[dict[str, Any]]:
    """Return the event as its structured form, whichever way it came; a batch as a list.

    Raises:
        ValidationError: it is no CloudEvent of version 1.0.
        Refusal: 415, it does not look like one, or is a batch and `batch_limit` is 0.

    """
    # the longer name first: it begins with the shorter one
    if media_type.name.startswith(_BATCH):
        return _read_batch(await _decode(body, media_type, _BATCH, decode), batch_limit)
    if media_type.name.startswith(_STRUCTURED):
        return _checked(await _decode(body, media_type, _STRUCTURED, decode))
    attributes = _read_attributes(headers)
    if not {"specversion", *_REQUIRED} <= attributes.keys():
        raise _not_understood("Not a CloudEvent: neither its media type nor its ce- headers")
    return _checked({**attributes, **await _read_data(body, headers, media_type, decode)})


async def _decode(body: bytes, media_type: MediaType, kind: str, decode: Decode) -> Any:
    if media_type.name != f"{kind}+json":
        raise _not_understood("The only format of CloudEvents here is JSON")
    return await decode(body)


def _read_batch(value: Any, batch_limit: int) -> list[dict[str, Any]]:
    if batch_limit == 0:
        raise _not_understood("Batches of CloudEvents are not accepted")
    if not isinstance(value, list):
        _refuse("a batch is an array")
    if len(value) > batch_limit:
        raise Refusal(413, f"The batch has more than {batch_limit} events", code="batch_too_large")
    return [_checked(event) for event in value]


def _checked(event: Any) -> dict[str, Any]:
    if not isinstance(event, dict):
        _refuse("an event is an object")
    if event.get("specversion") != _VERSION:
        _refuse("specversion must be '1.0'")
    for name in _REQUIRED:
        if not isinstance(event.get(name), str) or not event[name]:
            _refuse(f"{name} must be a text that is not empty")
    if any(not _NAME.fullmatch(name) for name in event.keys() - _MEMBERS):
        _refuse("names of attributes are lower-case letters and digits")
    # a URI has no blank; so id and source together name one event
    if " " in event["source"]:
        _refuse("source must be a URI reference")
    return event


def _read_attributes(headers: HeaderFields) -> dict[str, Any]:
    attributes: dict[str, Any] = {}
    for raw_name, raw_value in headers.fields:
        if not raw_name.startswith(_PREFIX):
            continue
        name = raw_name.removeprefix(_PREFIX).decode("latin-1")
        if name in attributes:
            _refuse("a ce- header is there twice")
        attributes[name] = _attribute(raw_value)
    if "datacontenttype" in attributes:
        _refuse("ce-datacontenttype is not a header: Content-Type says it")
    return attributes


def _attribute(raw: bytes) -> str:
    if len(raw) > 1 and raw.startswith(b'"') and raw.endswith(b'"'):
        raw = re.sub(rb"\\(.)", rb"\1", raw[1:-1])
    try:
        text = unquote_to_bytes(raw).decode("utf-8")
    except UnicodeDecodeError:
        _refuse("a ce- header is not UTF-8")
    if "\0" in text:
        _refuse("a ce- header holds the character NUL")
    return text


async def _read_data(body: bytes, headers: HeaderFields, media_type: MediaType, decode: Decode) -> dict[str, Any]:
    declared = headers.one("content-type")
    about = {} if declared is None else {"datacontenttype": declared}
    if not body:
        return about
    if media_type.is_json or declared is None:
        return {**about, "data": await decode(body)}
    if media_type.name.startswith("text/"):
        return {**about, "data": read_text(body)}
    return {**about, "data_base64": base64.b64encode(body).decode()}


def _not_understood(message: str) -> Refusal:
    return Refusal(
        415,
        message,
        code="unsupported_media_type",
        headers={"Accept-Post": "application/cloudevents+json"},
    )


def _refuse(rule: str) -> NoReturn:
    raise ValidationError(f"Not a CloudEvent: {rule}", details={"code": "invalid_cloud_event"}) from None
