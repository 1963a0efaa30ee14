import asyncio
import contextvars
import functools
import json
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any
from uuid import UUID

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import TypedDict

from portico.exceptions import ConfigurationError, ValidationError
from portico.kits.job import Context, JobDefinition, job
from portico.ports.job import Job, JobResult

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**10_000), 2**10_000)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda values: st.lists(values) | st.tuples(values, values) | st.dictionaries(st.text(), values),
    max_leaves=10,
)


class Email(pydantic.BaseModel):
    to: str
    subject: str = "Welcome"


class StrictDay(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(strict=True)
    day: date


@dataclass
class Point:
    x: int
    y: int = 0


class Row(TypedDict):
    id: int


def a_job(payload: dict[str, Any] | None = None, **fields: Any) -> Job:
    return Job(id=UUID(int=1), queue_name="default", job_type="a", payload=payload or {}, **fields)


async def run(definition: JobDefinition[..., Any], payload: dict[str, Any] | None = None) -> dict[str, Any]:
    result = await definition.handle(a_job(payload))
    assert result.success
    return result.result_data


@pytest.mark.asyncio
async def test_a_definition_stays_callable_like_its_function() -> None:
    @job("add")
    async def add(a: int, b: int = 2) -> int:
        """Add."""
        return a + b

    assert await add(1) == 3
    assert (add.job_type, add.__name__, add.__doc__) == ("add", "add", "Add.")


@pytest.mark.asyncio
async def test_plain_parameters_take_the_members_of_the_payload() -> None:
    @job("a")
    async def handler(name: str, *, day: date, tags: list[str] | None = None) -> dict[str, Any]:
        return {"name": name, "day": day.isoformat(), "tags": tags}

    assert await run(handler, {"day": "2030-01-01", "name": "x"}) == {"name": "x", "day": "2030-01-01", "tags": None}


@pytest.mark.asyncio
async def test_a_model_takes_the_whole_payload() -> None:
    @job("a")
    async def handler(email: Email) -> Email:
        return email

    assert await run(handler, {"to": "me"}) == {"to": "me", "subject": "Welcome"}


@pytest.mark.asyncio
async def test_a_dataclass_and_a_typed_dict_take_the_whole_payload() -> None:
    @job("a")
    async def point(where: Point) -> int:
        return where.x + where.y

    @job("b")
    async def row(what: Annotated[Row, "described"]) -> int:
        return what["id"]

    assert await run(point, {"x": 5}) == {"value": 5}
    assert await run(row, {"id": "7"}) == {"value": 7}


@pytest.mark.asyncio
async def test_a_strict_model_reads_json_as_json() -> None:
    @job("a")
    async def handler(what: StrictDay) -> str:
        return what.day.isoformat()

    assert await run(handler, {"day": "2030-01-01"}) == {"value": "2030-01-01"}


@given(st.dictionaries(st.text(), JSON))
def test_whatever_is_json_reaches_the_function_as_json_reads_it(payload: dict[str, Any]) -> None:
    @job("a")
    async def handler(payload: dict[str, Any]) -> None:
        received.append(payload)

    received: list[dict[str, Any]] = []
    asyncio.run(run(handler, payload))

    # as text: 1, 1.0 and True are equal, and so are 0.0 and -0.0
    assert repr(received) == repr([json.loads(json.dumps(payload))])


@pytest.mark.asyncio
async def test_a_parameter_called_payload_takes_it_unread() -> None:
    @job("a")
    async def annotated(payload: dict[str, Any]) -> dict[str, Any]:
        return payload

    @job("b")
    async def bare(payload):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - people write it so
        return payload

    assert await run(annotated, {"anything": [1]}) == {"anything": [1]}
    assert await run(bare, {"anything": [1]}) == {"anything": [1]}


@pytest.mark.asyncio
async def test_one_dict_among_members_is_a_member() -> None:
    @job("a")
    async def handler(options: dict[str, int]) -> int:
        return options["n"]

    assert await run(handler, {"options": {"n": 1}}) == {"value": 1}


@pytest.mark.asyncio
async def test_a_context_and_a_job_are_injected_wherever_they_stand() -> None:
    @job("a")
    async def handler(n: int, ctx: Context, the_job: Job) -> dict[str, Any]:
        return {"n": n, "attempt": ctx.attempt, "same": ctx.job is the_job}

    result = await handler.handle(a_job({"n": 1}, retry_count=1, crash_count=1))

    assert result.result_data == {"n": 1, "attempt": 3, "same": True}


@pytest.mark.asyncio
async def test_a_function_that_takes_the_job_reads_the_payload_itself() -> None:
    @job("a")
    async def handler(the_job: Job) -> list[str]:
        return list(the_job.payload)

    assert await run(handler, {"b": 1}) == {"value": ["b"]}


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("payload", "message"),
    [
        ({}, r"payload\.n: Field required"),
        ({"n": "hunter2"}, r"payload\.n: Input should be a valid integer"),
        ({"n": 1, "m": "hunter2"}, r"payload\.m: Extra inputs are not permitted"),
        ({"n": float("nan")}, r"payload\.n: NaN is not JSON"),
    ],
)
async def test_a_payload_that_does_not_fit_is_a_validation_error_without_its_values(
    payload: dict[str, Any], message: str
) -> None:
    @job("a")
    async def handler(n: int) -> None: ...

    with pytest.raises(ValidationError, match=message) as caught:
        await handler.handle(a_job(payload))

    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.asyncio
async def test_a_function_without_parameters_takes_no_payload() -> None:
    @job("a")
    async def handler() -> None: ...

    assert await run(handler) == {}
    with pytest.raises(ValidationError, match=r"payload\.n"):
        await handler.handle(a_job({"n": 1}))


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("value", "stored"),
    [
        (None, {}),
        ({"a": 1}, {"a": 1}),
        ([1, "x"], {"value": [1, "x"]}),
        (0, {"value": 0}),
        (Email(to="me"), {"to": "me", "subject": "Welcome"}),
        (pydantic.RootModel[list[int]]([1]), {"value": [1]}),
    ],
)
async def test_what_a_function_returns_is_stored_as_an_object(value: object, stored: dict[str, Any]) -> None:
    @job("a")
    async def handler() -> object:
        return value

    assert await run(handler) == stored


@pytest.mark.asyncio
async def test_a_job_result_passes_as_it_is() -> None:
    result = JobResult(success=False, error=RuntimeError("x"))

    @job("a")
    async def handler() -> JobResult:
        return result

    assert await handler.handle(a_job()) is result


@pytest.mark.asyncio
async def test_a_result_that_is_not_json_is_a_clear_failure() -> None:
    @job("a")
    async def handler() -> dict[str, Any]:
        return {"when": date(2030, 1, 1)}

    with pytest.raises(ValidationError, match=r"result\.when: date is not JSON"):
        await handler.handle(a_job())


@pytest.mark.asyncio
async def test_a_sync_function_runs_in_a_thread_with_the_callers_context() -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable")

    @job("a")
    def handler() -> dict[str, Any]:
        return {"main": threading.current_thread() is threading.main_thread(), "variable": variable.get()}

    variable.set("seen")

    assert await run(handler) == {"main": False, "variable": "seen"}


@pytest.mark.asyncio
@pytest.mark.parametrize("error", [ValueError("x"), StopIteration(), SystemExit(1)])
async def test_what_a_thread_raises_reaches_the_caller(error: BaseException) -> None:
    @job("a")
    def handler() -> None:
        raise error

    with pytest.raises((type(error), RuntimeError)):
        await handler.handle(a_job())


@pytest.mark.asyncio
async def test_a_cancelled_thread_is_told_and_not_waited_for() -> None:
    told = threading.Event()
    started = threading.Event()

    @job("a")
    def handler(ctx: Context) -> None:
        started.set()
        if ctx.cancelled.wait(5):
            told.set()

    running = asyncio.create_task(handler.handle(a_job()))
    assert await asyncio.to_thread(started.wait, 5)
    running.cancel()

    with pytest.raises(asyncio.CancelledError):
        await running
    assert await asyncio.to_thread(told.wait, 5)


@pytest.mark.asyncio
async def test_a_coroutine_that_nobody_awaited_is_an_error() -> None:
    async def work() -> None: ...

    @job("a")
    def handler() -> Any:
        return work()

    with pytest.raises(TypeError, match="nobody awaited"):
        await handler.handle(a_job())


@pytest.mark.asyncio
async def test_on_failure_is_called_when_given() -> None:
    seen: list[Exception] = []

    async def note(failed: Job, error: Exception) -> None:
        seen.append(error)

    @job("a", on_failure=note)
    async def handler() -> None: ...

    @job("b")
    async def silent() -> None: ...

    error = RuntimeError("x")
    await handler.on_failure(a_job(), error)
    await silent.on_failure(a_job(), error)

    assert seen == [error]


async def _generator() -> AsyncIterator[int]:
    yield 1


def _refused() -> list[Any]:
    def args(*args: int) -> None: ...
    def kwargs(**kwargs: int) -> None: ...
    def positional(a: int, /) -> None: ...
    def bare(a, b: int) -> None: ...  # type: ignore[no-untyped-def] # noqa: ANN001 - what is refused
    def forward(a: "Missing") -> None: ...  # type: ignore[name-defined] # noqa: F821 - what is refused
    def unreadable(a: threading.Thread) -> None: ...

    return [
        pytest.param(args, "passed by name", id="args"),
        pytest.param(kwargs, "passed by name", id="kwargs"),
        pytest.param(positional, "passed by name", id="positional"),
        pytest.param(bare, "'a' has no annotation", id="bare"),
        pytest.param(forward, "'Missing' is not defined", id="forward"),
        pytest.param(unreadable, "cannot be read from JSON", id="unreadable"),
        pytest.param(_generator, "generator", id="generator"),
        pytest.param(Email, "belongs on a function", id="class"),
        pytest.param(len, "belongs on a function", id="builtin"),
        pytest.param(functools.partial(args), "belongs on a function", id="partial"),
    ]


@pytest.mark.parametrize(("function", "message"), _refused())
def test_a_signature_that_no_payload_fills_is_refused_at_once(function: Callable[..., Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        job("a")(function)


@pytest.mark.parametrize("wrong", [{"job_type": ""}, {"queue_name": ""}, {"max_retries": -1}, {"timeout_seconds": 0}])
def test_options_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        job(**({"job_type": "a"} | wrong))


def test_local_names_in_annotations_are_understood() -> None:
    class Local(pydantic.BaseModel):
        n: int

    @job("a")
    async def handler(what: "Local") -> int:
        return what.n

    assert asyncio.run(run(handler, {"n": 3})) == {"value": 3}


def test_a_definition_says_where_it_stands() -> None:
    @job("a")
    async def handler() -> None: ...

    assert f"{__file__}:" in repr(handler)
