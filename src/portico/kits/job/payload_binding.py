"""From a function's signature to how it takes a payload."""

import dataclasses
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, NotRequired, get_args, get_origin, get_type_hints

import pydantic
from typing_extensions import TypedDict, is_typeddict

from portico.exceptions import ConfigurationError, ValidationError
from portico.kits.job.context import Context
from portico.ports.job import Job
from portico.runtime.json_values import require_json_object
from portico.runtime.pydantic_errors import refusal_text

_MEMBER_KINDS = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
_WHOLE_PAYLOAD_NAME = "payload"
_JSON = pydantic.TypeAdapter(Any)


@dataclass(frozen=True)
class PayloadBinding:
    """Turns a job into the keyword arguments of one function."""

    context_names: tuple[str, ...]
    job_names: tuple[str, ...]
    whole: str | None
    """The parameter that takes the whole payload; None when the members are parameters."""
    adapter: pydantic.TypeAdapter[Any] | None
    """None when the function looks at the job itself."""

    def arguments(self, context: Context) -> dict[str, Any]:
        """Return the keyword arguments.

        Raises:
            ValidationError: the payload does not fit; the message has field paths and rules, never values.

        """
        arguments = self._validated(context.job.payload)
        for name in self.context_names:
            arguments[name] = context
        for name in self.job_names:
            arguments[name] = context.job
        return arguments

    def _validated(self, payload: dict[str, Any]) -> dict[str, Any]:
        if self.adapter is None:
            return {}
        value: Any = _validate(self.adapter, payload)
        return {self.whole: value} if self.whole else value


def bind(function: Callable[..., Any], namespace: Mapping[str, Any]) -> PayloadBinding:
    """Read the signature; `namespace` holds the names that its annotations may use beside the module's.

    Raises:
        ConfigurationError: the signature cannot be filled from a payload.

    """
    parameters = _parameters(function)
    hints = _hints(function, namespace)
    context_names = tuple(name for name in parameters if hints.get(name) is Context)
    job_names = tuple(name for name in parameters if hints.get(name) is Job)
    rest = {name: item for name, item in parameters.items() if name not in context_names + job_names}
    _refuse_unannotated(function, rest, hints)
    first = next(iter(rest), "")
    whole = first if len(rest) == 1 and _takes_all(first, hints) else None
    looks_itself = bool(job_names) and not rest
    adapter = None if looks_itself else _adapter(function, rest, hints, whole)
    return PayloadBinding(context_names, job_names, whole, adapter)


def _parameters(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    parameters = dict(inspect.signature(function).parameters)
    for parameter in parameters.values():
        if parameter.kind not in _MEMBER_KINDS:
            raise _refused(function, f"'{parameter}' is {parameter.kind.description}: a payload is passed by name")
    return parameters


def _hints(function: Callable[..., Any], namespace: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return get_type_hints(function, localns=dict(namespace), include_extras=True)
    except (NameError, TypeError, SyntaxError) as error:
        raise _refused(function, f"an annotation cannot be understood: {error}") from error


def _refuse_unannotated(
    function: Callable[..., Any], rest: Mapping[str, inspect.Parameter], hints: Mapping[str, Any]
) -> None:
    for name in rest:
        if name not in hints and list(rest) != [_WHOLE_PAYLOAD_NAME]:
            raise _refused(function, f"'{name}' has no annotation: a type, Context or Job tells what it is given")


def _takes_all(name: str, hints: Mapping[str, Any]) -> bool:
    hint = hints.get(name, dict[str, Any])
    plain = get_args(hint)[0] if get_origin(hint) is Annotated else hint
    kind = get_origin(plain) or plain
    if name == _WHOLE_PAYLOAD_NAME and kind in (dict, Mapping, Any):
        return True
    is_model = isinstance(kind, type) and issubclass(kind, pydantic.BaseModel)
    return is_model or dataclasses.is_dataclass(kind) or is_typeddict(kind)


def _adapter(
    function: Callable[..., Any],
    rest: Mapping[str, inspect.Parameter],
    hints: Mapping[str, Any],
    whole: str | None,
) -> pydantic.TypeAdapter[Any]:
    try:
        return pydantic.TypeAdapter(hints.get(whole, dict[str, Any]) if whole else _members_type(rest, hints))
    except (pydantic.errors.PydanticUserError, pydantic.errors.PydanticUndefinedAnnotation) as error:
        raise _refused(function, f"a type cannot be read from JSON: {error.message}") from error


def _members_type(rest: Mapping[str, inspect.Parameter], hints: Mapping[str, Any]) -> type[object]:
    members = {
        name: hints[name] if parameter.default is parameter.empty else NotRequired[hints[name]]
        for name, parameter in rest.items()
    }
    kind = TypedDict("Payload", members)  # type: ignore[misc] # - its members are known only now
    return pydantic.with_config(pydantic.ConfigDict(extra="forbid"))(kind)


def _validate(adapter: pydantic.TypeAdapter[Any], payload: dict[str, Any]) -> Any:
    require_json_object(payload)
    try:
        # as JSON, so that a strict model still reads a date from a text; of what is JSON it writes what `json` does
        return adapter.validate_json(_JSON.dump_json(payload))
    except pydantic.ValidationError as error:
        raise ValidationError(refusal_text(error)) from None


def _refused(function: Callable[..., Any], reason: str) -> ConfigurationError:
    name = getattr(function, "__qualname__", repr(function))
    return ConfigurationError(f"{name}() cannot be a job: {reason}")
