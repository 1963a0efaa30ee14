"""A payload to try a handler with, from what its parameters must be."""

import json
from collections.abc import Mapping
from typing import Any

import pydantic

_DEEPEST = 5
_BY_TYPE: Mapping[str, Any] = {"integer": 1, "number": 1.5, "boolean": True, "null": None}
_BY_FORMAT: Mapping[str, str] = {
    "date": "2030-01-01",
    "date-time": "2030-01-01T12:00:00Z",
    "duration": "PT1M",
    "email": "user@example.com",
    "time": "12:00:00Z",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}


def example_payload(adapter: pydantic.TypeAdapter[Any]) -> dict[str, Any]:
    """Return the members that are required, each with some value of its type; empty where none would be taken."""
    try:
        schema = adapter.json_schema()
    except pydantic.errors.PydanticInvalidForJsonSchema:
        return {}
    example = _Examples(schema.get("$defs", {})).of(schema)
    try:
        adapter.validate_json(json.dumps(example))
    except ValueError:
        return {}
    return example if isinstance(example, dict) else {}


class _Examples:
    def __init__(self, definitions: Mapping[str, Any]) -> None:
        self._definitions = definitions

    def of(self, schema: Mapping[str, Any], name: str = "", depth: int = 0) -> Any:
        """Return a value that the schema takes, as far as its types say."""
        for given in ("const", "default"):
            if given in schema:
                return schema[given]
        if choices := schema.get("examples") or schema.get("enum"):
            return choices[0]
        if inner := self._inner(schema):
            return self.of(inner, name, depth + 1) if depth < _DEEPEST else None
        return self._of_type(schema, name, depth)

    def _inner(self, schema: Mapping[str, Any]) -> Mapping[str, Any] | None:
        if reference := schema.get("$ref"):
            return dict(self._definitions[reference.rpartition("/")[2]])
        return next((dict(each) for kind in ("anyOf", "oneOf", "allOf") for each in schema.get(kind, ())), None)

    def _of_type(self, schema: Mapping[str, Any], name: str, depth: int) -> Any:
        kind = schema.get("type", "string")
        if kind == "object":
            return self._object(schema, depth)
        if kind == "array":
            items = schema.get("items", {})
            return [self.of(items, name, depth + 1) for _ in range(min(schema.get("minItems", 0), _DEEPEST))]
        if kind == "string":
            return _BY_FORMAT.get(schema.get("format", ""), _text(schema, name))
        return schema.get("minimum", _BY_TYPE.get(kind))

    def _object(self, schema: Mapping[str, Any], depth: int) -> dict[str, Any]:
        members = schema.get("properties", {})
        return {name: self.of(members.get(name, {}), name, depth + 1) for name in schema.get("required", ())}


def _text(schema: Mapping[str, Any], name: str) -> str:
    text = name or "text"
    return text.ljust(schema.get("minLength", 0), "x")[: schema.get("maxLength")]
