"""What OpenAPI says of job types and their payloads, where a webhook's user wants them to be known."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from urllib.parse import unquote

import pydantic

_DEFINITIONS = frozenset({"$defs", "definitions"})


def with_job_types(
    schema: Mapping[str, Any], job_types: Collection[str] | None, payload_schemas: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the schema of a request that names the types which may be asked for, and what the payload of each is.

    Args:
        schema: that of any request.
        job_types: those that are allowed; None or empty is every type.
        payload_schemas: by job type, as a webhook takes them.

    """
    listed = sorted(job_types or ())
    described = {name: payload_schemas[name] for name in sorted(payload_schemas) if not listed or name in listed}
    exposed: dict[str, Any] = {**schema}
    if listed:
        job_type = {**schema["properties"]["job_type"], "enum": listed}
        exposed["properties"] = {**schema["properties"], "job_type": job_type}
    if described:
        exposed["oneOf"] = [
            *(_alternative({"const": name}, payload=_payload(each)) for name, each in described.items()),
            *_others(listed, [*described]),
        ]
    return exposed


def _others(listed: Sequence[str], described: Sequence[str]) -> list[dict[str, Any]]:
    """Return the alternative of the types whose payload nobody has described, if there are any."""
    if not listed:
        return [_alternative({"not": {"enum": described}})]
    rest = [name for name in listed if name not in described]
    return [_alternative({"enum": rest})] if rest else []


def _alternative(job_type: dict[str, Any], **members: dict[str, Any]) -> dict[str, Any]:
    return {"properties": {"job_type": job_type, **members}}


def _payload(schema: Any) -> dict[str, Any]:
    try:
        root = schema if isinstance(schema, Mapping) else pydantic.TypeAdapter(schema).json_schema()
        inlined: dict[str, Any] = _inlined({name: root[name] for name in root if name not in _DEFINITIONS}, root)
    except (pydantic.errors.PydanticUserError, LookupError):
        # it validates, and cannot be written down
        return {"type": "object"}
    return inlined


def _inlined(value: Any, root: Mapping[str, Any], within: Collection[str] = ()) -> Any:
    """Return a part of a schema without references, which readers of OpenAPI would look for in all of the document.

    Raises:
        LookupError: one leads to nothing.

    """
    if isinstance(value, list):
        return [_inlined(each, root, within) for each in value]
    if not isinstance(value, Mapping):
        return value
    reference = value.get("$ref")
    if not isinstance(reference, str):
        return {name: _inlined(each, root, within) for name, each in value.items()}
    beside = {name: _inlined(each, root, within) for name, each in value.items() if name != "$ref"}
    if reference in within:
        # it holds itself: from here on it is anything
        return beside
    return {**beside, "allOf": [_inlined(_at(root, reference), root, (*within, reference))]}


def _at(root: Mapping[str, Any], reference: str) -> Any:
    """Return what a JSON pointer leads to."""
    document, _, path = unquote(reference).partition("#/")
    if document or not path:
        raise LookupError(reference)
    found: Any = root
    for name in path.split("/"):
        found = found[name.replace("~1", "/").replace("~0", "~")]
    return found
