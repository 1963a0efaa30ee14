"""A function as the handler of a job type."""

import asyncio
import inspect
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Generic, ParamSpec, TypeVar

import pydantic
from typing_extensions import override

from portico.exceptions import ConfigurationError
from portico.kits.job.context import Context
from portico.kits.job.example_payload import example_payload
from portico.kits.job.job_factory import DEFAULT_MAX_RETRIES
from portico.kits.job.job_threads import run_in_thread
from portico.kits.job.payload_binding import PayloadBinding, bind
from portico.kits.job.retry_policy import RetryPolicy
from portico.ports.job import Job, JobResult
from portico.ports.job_handler import JobHandler
from portico.runtime.json_values import require_json

P = ParamSpec("P")
R = TypeVar("R")
OnFailure = Callable[[Job, Exception], Awaitable[None]]


@dataclass(frozen=True, kw_only=True)
class JobOptions:
    """What is said of a job type beside its function."""

    job_type: str
    queue_name: str = "default"
    max_retries: int = DEFAULT_MAX_RETRIES
    timeout_seconds: float | None = None
    retry_policy: RetryPolicy | None = None
    on_failure: OnFailure | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.job_type, str) or not self.job_type:
            message = 'a job needs a type that is not empty: @job("email.send")'
            raise ConfigurationError(message)
        if not self.queue_name:
            message = f"queue_name of job {self.job_type!r} must not be empty"
            raise ConfigurationError(message)
        if self.max_retries < 0:
            message = f"max_retries of job {self.job_type!r} must not be negative: {self.max_retries}"
            raise ConfigurationError(message)
        if self.timeout_seconds is not None and self.timeout_seconds <= 0:
            message = f"timeout_seconds of job {self.job_type!r} must be positive: {self.timeout_seconds}"
            raise ConfigurationError(message)


class JobDefinition(JobHandler, Generic[P, R]):
    """Stays callable like the function, and runs it for a job with parameters validated from the payload."""

    def __init__(self, function: Callable[P, R], options: JobOptions, namespace: dict[str, Any] | None = None) -> None:
        _require_plain_function(function)
        self._function = function
        self._run_function: Callable[..., Any] = function
        self._binding: PayloadBinding = bind(function, namespace or {})
        self.options = options
        self.is_sync = not inspect.iscoroutinefunction(function)
        """Whether it runs in a thread, which nothing can cancel."""
        self.__doc__ = function.__doc__
        self.__name__ = getattr(function, "__name__", options.job_type)
        self.__wrapped__ = function

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function itself, without a queue."""
        return self._function(*args, **kwargs)

    @override
    def __repr__(self) -> str:
        return f"<job {self.job_type!r} at {self.place}>"

    @property
    @override
    def job_type(self) -> str:
        return self.options.job_type

    @property
    def place(self) -> str:
        """Where the function stands, as ``file:line``."""
        code = inspect.unwrap(self._function).__code__
        return f"{code.co_filename}:{code.co_firstlineno}"

    def example_payload(self) -> dict[str, Any]:
        """Return a payload that the function takes, as far as its annotations tell; empty where they do not."""
        return {} if self._binding.adapter is None else example_payload(self._binding.adapter)

    @override
    async def handle(self, job: Job) -> JobResult:
        timeout = self.options.timeout_seconds
        deadline = None if timeout is None else datetime.now(UTC) + timedelta(seconds=timeout)
        return await self.run(Context(job, deadline))

    async def run(self, context: Context) -> JobResult:
        """Run the function; a thread goes on when the caller is cancelled, and is told by `context.cancelled`."""
        call = partial(self._run_function, **self._binding.arguments(context))
        try:
            value = await (self._in_thread(call, context) if self.is_sync else call())
        except asyncio.CancelledError:
            context.cancelled.set()
            raise
        return _as_result(value)

    def _in_thread(self, call: Callable[[], Any], context: Context) -> Awaitable[Any]:
        # asked for here, so that the loop and the thread share one
        _ = context.cancelled
        return run_in_thread(call, f"job:{self.job_type}")

    @override
    async def on_failure(self, job: Job, error: Exception) -> None:
        if self.options.on_failure is not None:
            await self.options.on_failure(job, error)


def job(
    job_type: str,
    *,
    queue_name: str = "default",
    max_retries: int = DEFAULT_MAX_RETRIES,
    timeout_seconds: float | None = None,
    retry_policy: RetryPolicy | None = None,
    on_failure: OnFailure | None = None,
) -> Callable[[Callable[P, R]], JobDefinition[P, R]]:
    """Make a function the handler of `job_type`.

    A parameter annotated `Context` or `Job` is given that. A single parameter that is a pydantic model, a dataclass, a
    `TypedDict` or ``payload: dict`` takes the whole payload; otherwise each parameter is one member of it, and an
    unknown or missing member fails the job at once. An ``async def`` runs on the loop, a ``def`` in a thread.

    Args:
        job_type: for example ``"email.send"``.
        queue_name: the queue that workers serve for it.
        max_retries: for jobs whose creator does not say, where the creator knows the handlers.
        timeout_seconds: how long one run may take; None leaves it to the worker.
        retry_policy: how long retries wait; None leaves it to the worker.
        on_failure: called on every failure with the job and the error.

    Raises:
        ConfigurationError: the signature cannot be filled from a payload.

    """
    options = JobOptions(
        job_type=job_type,
        queue_name=queue_name,
        max_retries=max_retries,
        timeout_seconds=timeout_seconds,
        retry_policy=retry_policy,
        on_failure=on_failure,
    )
    # annotations may name what only the decorated function's surroundings know
    namespace = dict(sys._getframe(1).f_locals)  # noqa: SLF001 - the documented way to a caller's names
    return lambda function: JobDefinition(function, options, namespace)


def _require_plain_function(function: object) -> None:
    if not (inspect.isfunction(function) or inspect.ismethod(function)):
        message = f"@job belongs on a function, not on {function!r}"
        raise ConfigurationError(message)
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        message = f"{function.__qualname__}() cannot be a job: it is a generator"
        raise ConfigurationError(message)


def _as_result(value: object) -> JobResult:
    if isinstance(value, pydantic.BaseModel):
        value = value.model_dump(mode="json")
    if value is None:
        return JobResult(success=True)
    if isinstance(value, JobResult):
        return value
    if inspect.isawaitable(value):
        _close(value)
        message = "the handler returned an awaitable that nobody awaited: nothing was done"
        raise TypeError(message)
    require_json(value, "result")
    return JobResult(success=True, result_data=value if isinstance(value, dict) else {"value": value})


def _close(value: object) -> None:
    if inspect.iscoroutine(value):
        value.close()
