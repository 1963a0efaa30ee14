"""What starts and stops: triggers and workers are services."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AbstractContextManager, AsyncExitStack
from typing import Any, ClassVar

from portico.exceptions import ConfigurationError, ConflictError, PorticoError
from portico.ports.clock import Clock
from portico.runtime.backoff import Backoff
from portico.runtime.between import Between
from portico.runtime.clock import SystemClock
from portico.utils.logging import get_logger

logger = get_logger(__name__)

DEFAULT_GRACE_SECONDS = 10.0
_RESTART_BACKOFF = Backoff(base_seconds=0.5, cap_seconds=30.0, jitter=0.2)


class StoppingError(PorticoError):
    """The service is not running, or about to stop: no new work is begun."""


class Service:
    """Starts and stops any number of times, in any order, from any task, and leaves nothing behind.

    A subclass acquires everything in `_open`, on the exit stack it is given, and runs its loops with `_supervise`.
    Whatever must not be cut in two stands in ``with self._work():``; `stop` first refuses new work, then waits for work
    under way up to `grace_seconds`, then cancels the loops, then closes the stack in reverse order.
    """

    _backoff_event: ClassVar[str] = "service_task_failed"
    """The log event of a loop that raised and will run again."""

    def __init__(
        self,
        *,
        name: str,
        clock: Clock | None = None,
        grace_seconds: float = DEFAULT_GRACE_SECONDS,
        restart_backoff: Backoff | None = None,
    ) -> None:
        self._name = name
        self._clock = clock or SystemClock()
        self._grace_seconds = grace_seconds
        self._restart_backoff = restart_backoff or _RESTART_BACKOFF
        self._transition = asyncio.Lock()
        self._exit_stack: AsyncExitStack | None = None
        self._accepts_work = False
        self._has_failed = False
        self._work_under_way = 0
        self._idle = asyncio.Event()
        self._working = Between(self._begin_work, self._end_work)
        self._opened = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._failures_in_a_row: dict[str, int] = {}

    @property
    def name(self) -> str:
        """What this service is called in keys, health and logs."""
        return self._name

    @property
    def is_running(self) -> bool:
        """True from the end of `start` to the beginning of `stop`, unless the service has failed for good."""
        return self._accepts_work and not self._has_failed

    async def start(self) -> None:
        """Start; a second call logs a warning and does nothing. If it fails or is cancelled, nothing was started."""
        async with self._transition:
            if self._exit_stack is not None:
                self._on_already_running()
                return
            self._on_starting()
            stack = AsyncExitStack()
            self._has_failed = False
            self._failures_in_a_row.clear()
            self._opened.clear()
            try:
                await self._open(stack)
            except BaseException:
                await finish(self._close(stack))
                raise
            self._exit_stack = stack
            self._accepts_work = True
            self._opened.set()
            self._on_started()

    async def stop(self) -> None:
        """Stop; a second call does nothing. Once begun it goes to its end, even when the caller is cancelled.

        Raises:
            ConflictError: called from one of the loops that it would have to wait for.

        """
        if asyncio.current_task() in self._tasks:
            raise ConflictError(f"'{self._name}' cannot be stopped from within its own loop: it would wait for itself")
        async with self._transition:
            stack, self._exit_stack = self._exit_stack, None
            if stack is None:
                return
            self._accepts_work = False
            self._on_stopping()
            await finish(self._close(stack))

    async def _open(self, stack: AsyncExitStack) -> None:
        """Acquire what the service needs on `stack`, and begin its loops; raise when it cannot run."""

    def _supervise(self, stack: AsyncExitStack, label: str, run: Callable[[], Awaitable[None]]) -> None:
        """Run a loop until the service stops; when it raises, wait a growing while and run it again."""
        task = asyncio.create_task(self._keep_running(label, run), name=f"{self._name}:{label}")
        self._tasks.add(task)
        stack.push_async_callback(self._end, task)

    def _work(self) -> AbstractContextManager[None]:
        """Mark work that `stop` waits for.

        Raises:
            StoppingError: the service is not running.

        """
        return self._working

    def _begin_work(self) -> None:
        if not self._accepts_work:
            raise StoppingError(f"'{self._name}' is not running")
        self._work_under_way += 1
        self._idle.clear()

    def _end_work(self) -> None:
        self._work_under_way -= 1
        if not self._work_under_way:
            self._idle.set()

    def _progressed(self, label: str) -> None:
        """Tell the supervisor that the loop works: its next failure is the first again."""
        self._failures_in_a_row.pop(label, None)

    async def _keep_running(self, label: str, run: Callable[[], Awaitable[None]]) -> None:
        # a loop must not work before `_open` is through: the start may still fail
        await self._opened.wait()
        while True:
            began = self._clock.monotonic()
            try:
                await run()
            except StoppingError:
                return
            except ConfigurationError as error:
                self._has_failed = True
                self._on_failed(label, error)
                return
            except Exception as error:  # noqa: BLE001 - the supervised loop of every service; it is logged
                if self._clock.monotonic() - began > self._restart_backoff.cap_seconds:
                    self._progressed(label)
                delay = self._count_failure(label)
                self._on_backoff(label, error, delay)
                await self._clock.sleep(delay)
            else:
                return

    def _count_failure(self, label: str) -> float:
        failures = self._failures_in_a_row.get(label, 0) + 1
        self._failures_in_a_row[label] = failures
        return self._restart_backoff.delay_seconds(failures)

    async def _close(self, stack: AsyncExitStack) -> None:
        try:
            await self._drain()
        finally:
            await stack.aclose()
            self._on_stopped()

    async def _drain(self) -> None:
        if not self._work_under_way:
            return
        try:
            async with asyncio.timeout(self._grace_seconds):
                await self._idle.wait()
        except TimeoutError:
            logger.warning("service_grace_exceeded", service=self._name, under_way=self._work_under_way)

    async def _end(self, task: asyncio.Task[None]) -> None:
        task.cancel()
        # a task whose loop was closed is done, and cannot be waited for
        if not task.done() and (await asyncio.wait({task}, timeout=self._grace_seconds))[1]:
            logger.error("service_task_ignores_cancellation", service=self._name, task=task.get_name())
        self._tasks.discard(task)

    def _on_already_running(self) -> None:
        logger.warning("service_already_running", service=self._name)

    def _on_starting(self) -> None: ...

    def _on_started(self) -> None: ...

    def _on_stopping(self) -> None: ...

    def _on_stopped(self) -> None: ...

    def _on_backoff(self, label: str, error: Exception, delay_seconds: float) -> None:
        logger.error(
            self._backoff_event,
            service=self._name,
            task=label,
            error=describe(error),
            retry_in_seconds=round(delay_seconds, 3),
            exc_info=None if isinstance(error, PorticoError) else error,
        )

    def _on_failed(self, label: str, error: Exception) -> None:
        logger.error("service_failed", service=self._name, task=label, error=describe(error))


async def finish(work: Coroutine[Any, Any, None]) -> None:
    """Run `work` to its end even when the caller is cancelled meanwhile; the cancellation is passed on afterwards."""
    task = asyncio.create_task(work, name="finish")
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as error:
            cancelled = error
        except Exception:  # noqa: BLE001 - raised below, from the finished task
            break
    task.result()
    if cancelled is not None:
        raise cancelled


def describe(error: BaseException) -> str:
    """Return an error as one short line for health and logs; foreign errors by class alone, they may hold a secret."""
    if isinstance(error, PorticoError):
        return f"{type(error).__name__}: {error}"[:500]
    return type(error).__name__
