"""Payloads that a JSON Schema describes."""

import asyncio
import json
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import islice
from typing import Annotated, Any

import pydantic
from pydantic import StringConstraints, TypeAdapter

from portico.exceptions import ConfigurationError, MissingExtraError, ValidationError
from portico.runtime.pydantic_errors import field_path

_MAX_ERRORS = 10
_MAX_SHOWN_RULE = 80
_CHECKED_ON_THE_LOOP_VALUES = 500
_REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")


class JsonSchema:
    """Refuses what a JSON Schema refuses, in time that grows with the payload; nothing is ever fetched.

    Args:
        schema: of the draft that its ``$schema`` names, by default 2020-12.
        place: names the schema in errors.

    Raises:
        ConfigurationError: it is no JSON Schema, refers to something outside of itself, or has a pattern whose matching
            could take for ever (look-around, back references).
        MissingExtraError: the extra `jsonschema` is not installed.

    """

    def __init__(self, schema: Mapping[str, Any], place: str) -> None:
        try:
            import jsonschema
            import referencing.jsonschema
        except ImportError as error:
            raise MissingExtraError("a JSON Schema for payloads", "jsonschema", cause=error) from error
        known = jsonschema.validators.validator_for(schema, default=jsonschema.Draft202012Validator)
        try:
            known.check_schema(dict(schema))
        except jsonschema.SchemaError as error:
            raise ConfigurationError(f"{place} is no JSON Schema: {error.message:.200}") from None
        document = referencing.Resource.from_contents(
            dict(schema), default_specification=referencing.jsonschema.specification_with(_dialect(known))
        )
        resolver = referencing.Registry().with_resource("", document).crawl().resolver_with_root(document)
        _require_usable(document, resolver, place)
        extend: Any = jsonschema.validators.extend
        kind = extend(known, _LinearKeywords(jsonschema.ValidationError).by_name())
        self._validator = kind(dict(schema), format_checker=known.FORMAT_CHECKER, registry=referencing.Registry())

    async def validated(self, payload: dict[str, Any]) -> dict[str, Any]:
        """Return the payload as it is.

        Raises:
            ValidationError: names paths and rules, never values.

        """
        if _has_more_values(payload, _CHECKED_ON_THE_LOOP_VALUES):
            errors = await asyncio.to_thread(self._errors, payload)
        else:
            errors = self._errors(payload)
        if errors:
            raise _refusal(errors)
        return payload

    def _errors(self, payload: dict[str, Any]) -> Sequence[Any]:
        return list(islice(self._validator.iter_errors(payload), _MAX_ERRORS + 1))


def with_json_schemas(schemas: Mapping[str, Any]) -> dict[str, Any]:
    """Return schemas by job type, those that are mappings as JSON Schemas."""
    return {
        job_type: JsonSchema(schema, f"payload_schemas['{job_type}']") if isinstance(schema, Mapping) else schema
        for job_type, schema in schemas.items()
    }


def _dialect(known: Any) -> str:
    dialect: str = known.META_SCHEMA.get("$id") or known.META_SCHEMA["id"]
    return dialect


def _require_usable(document: Any, resolver: Any, place: str) -> None:
    """Refuse references that lead outside, and patterns that no linear engine matches, in every subschema."""
    contents = document.contents
    if isinstance(contents, Mapping):
        for keyword in _REFERENCES:
            if keyword in contents:
                _require_inside(resolver, contents[keyword], place)
        for pattern in (contents.get("pattern"), *contents.get("patternProperties", ())):
            if pattern is not None:
                _require_linear(pattern, place)
        if "unevaluatedProperties" in contents and "patternProperties" in contents:
            raise ConfigurationError(f"{place}: unevaluatedProperties beside patternProperties is not supported")
    for inner in document.subresources():
        _require_usable(inner, resolver.in_subresource(inner), place)


def _require_inside(resolver: Any, reference: str, place: str) -> None:
    from referencing.exceptions import Unresolvable

    try:
        resolver.lookup(reference)
    except Unresolvable:
        raise ConfigurationError(
            f"{place} refers to {reference!r:.200}, which is not in it; schemas are not fetched"
        ) from None


def _require_linear(pattern: str, place: str) -> None:
    try:
        _adapter(pattern)
    except Exception as error:
        # whatever the engine inside of pydantic raises
        raise ConfigurationError(
            f"{place} has the pattern {pattern!r:.200}, which cannot be matched in linear time"
        ) from error


@lru_cache(maxsize=1_024)
def _adapter(pattern: str) -> TypeAdapter[str]:
    # pydantic's engine needs no more steps than the text is long; Python's may need exponentially many
    return TypeAdapter(Annotated[str, StringConstraints(pattern=pattern)])


def _matches(pattern: str, text: str) -> bool:
    try:
        _adapter(pattern).validate_python(text)
    except pydantic.ValidationError:
        return False
    return True


class _LinearKeywords:
    """The keywords whose usual implementations let a payload take all the time it wants.

    The parameters are jsonschema's: the validator, the keyword's value, the instance, the schema.
    """

    def __init__(self, refused: type[Exception]) -> None:
        self._refused = refused

    def pattern(self, validator: Any, wanted: str, instance: Any, _schema: Any) -> Iterator[Exception]:
        if validator.is_type(instance, "string") and not _matches(wanted, instance):
            yield self._refused("pattern")

    def pattern_properties(self, validator: Any, patterns: Any, instance: Any, _schema: Any) -> Iterator[Exception]:
        if not validator.is_type(instance, "object"):
            return
        for wanted, subschema in patterns.items():
            for name in (name for name in instance if _matches(wanted, name)):
                yield from validator.descend(instance[name], subschema, path=name, schema_path=wanted)

    def additional_properties(self, validator: Any, allowed: Any, instance: Any, schema: Any) -> Iterator[Exception]:
        if not validator.is_type(instance, "object"):
            return
        for name in _additional(instance, schema):
            if allowed is False:
                yield self._refused("additionalProperties")
                return
            yield from validator.descend(instance[name], allowed, path=name)

    def unique_items(self, validator: Any, wanted: Any, instance: Any, _schema: Any) -> Iterator[Exception]:
        is_checked = wanted and validator.is_type(instance, "array")
        if is_checked and len({_canonical(item) for item in instance}) < len(instance):
            yield self._refused("uniqueItems")

    def by_name(self) -> dict[str, Any]:
        """Return them as jsonschema takes them."""
        return {
            "pattern": self.pattern,
            "patternProperties": self.pattern_properties,
            "additionalProperties": self.additional_properties,
            "uniqueItems": self.unique_items,
        }


def _additional(instance: dict[str, Any], schema: Mapping[str, Any]) -> Iterator[str]:
    known = schema.get("properties", {})
    patterns = schema.get("patternProperties", ())
    return (name for name in instance if name not in known and not any(_matches(each, name) for each in patterns))


def _canonical(value: Any) -> str:
    return json.dumps(_normal(value), sort_keys=True)


def _normal(value: Any) -> Any:
    # for JSON Schema 1.0 is 1
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {name: _normal(member) for name, member in value.items()}
    return [_normal(item) for item in value] if isinstance(value, list) else value


def _has_more_values(value: Any, limit: int) -> bool:
    waiting, seen = [value], 0
    while waiting and seen <= limit:
        current = waiting.pop()
        if isinstance(current, dict | list):
            seen += len(current)
            waiting += islice(current.values() if isinstance(current, dict) else current, limit)
    return seen > limit


def _refusal(errors: Sequence[Any]) -> ValidationError:
    shown = "; ".join(
        f"{field_path('payload', list(error.absolute_path))}: {_rule(error)}" for error in errors[:_MAX_ERRORS]
    )
    more = "; and more" if len(errors) > _MAX_ERRORS else ""
    places = [
        {"loc": ["payload", *error.absolute_path], "code": error.validator, "msg": _rule(error)}
        for error in errors[:_MAX_ERRORS]
    ]
    details = {"code": "payload_schema_violation", "errors": places}
    return ValidationError(f"Invalid payload: {shown}{more}", details=details)


def _rule(error: Any) -> str:
    """Say the rule as the schema has it; the library's own words repeat the value."""
    if error.validator == "required":
        # of the schema's names alone
        return str(error.message)
    value = json.dumps(error.validator_value)
    return f"{error.validator} {value}" if len(value) <= _MAX_SHOWN_RULE else f"breaks '{error.validator}'"
