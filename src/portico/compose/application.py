"""The application that `compose.jobs` puts together."""

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from types import MappingProxyType, TracebackType
from typing import Any, Protocol, Self, runtime_checkable

from fastapi import APIRouter, FastAPI
from typing_extensions import override

from portico.compose.routes import is_routed, trigger_health_router
from portico.compose.stores import rate_limiter_of
from portico.exceptions import ConfigurationError, ExternalServiceError, PorticoError
from portico.kits.job.job_service import JobService
from portico.kits.job.registry import HandlerRegistry
from portico.kits.job.worker_manager import WorkerManager
from portico.ports.clock import Clock
from portico.ports.event_inbox import EventInbox
from portico.ports.job_queue import JobQueueAdapter
from portico.ports.job_trigger import JobTrigger
from portico.ports.rate_limiter import RateLimiter
from portico.ports.retention import Retention
from portico.ports.trigger_store import TriggerStore
from portico.runtime.inbox_pruning import InboxPruning
from portico.runtime.service import Service, describe
from portico.runtime.worker_directory import WorkerDirectory
from portico.utils.logging import get_logger

logger = get_logger(__name__)

TRIGGER_DEFAULT_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "WebhookTrigger": "webhook",
        "ScheduleTrigger": "schedule",
        "FileTrigger": "file",
        "RabbitMQTrigger": "rabbitmq",
        "DatabasePollingTrigger": "database_polling",
    }
)
"""What the triggers of this package are called in health, keys and logs unless they are given a name."""


@runtime_checkable
class _TakesState(Protocol):
    """A trigger that keeps cursors and events somewhere; every `portico.runtime.trigger.BaseTrigger` does."""

    @property
    def name(self) -> str: ...

    def use(self, *, name: str | None, store: TriggerStore, inbox: EventInbox) -> None: ...


@runtime_checkable
class _LimitsRates(Protocol):
    """A trigger that counts requests."""

    def use_rate_limiter(self, limiter: RateLimiter) -> None: ...


class Jobs(Service):
    """A composed application: start it as FastAPI's lifespan, or with ``async with jobs:``."""

    def __init__(  # noqa: PLR0913 - `jobs` is what users call
        self,
        *,
        url: str,
        queue: JobQueueAdapter,
        store: TriggerStore,
        inbox: EventInbox,
        registry: HandlerRegistry,
        queues: tuple[str, ...] | None,
        has_workers: bool,
        worker_options: Mapping[str, Any],
        retention: Retention,
        clock: Clock | None,
    ) -> None:
        super().__init__(name="jobs", clock=clock)
        self.url = _without_password(url)
        self.queue = queue
        self.store = store
        self.inbox = inbox
        self.registry = registry
        self._queues = queues
        self._has_workers = has_workers
        self._has_triggers = True
        self._worker_options = dict(worker_options)
        self._worker: WorkerManager | None = None
        self._triggers: dict[str, JobTrigger] = {}
        self._directory = WorkerDirectory(store, clock=self._clock)
        self._rate_limiter = rate_limiter_of(queue)
        self._inbox_pruning = InboxPruning(inbox, retention.events, clock=self._clock)
        self.creator = JobService(
            job_queue=queue, registry=registry, clock=clock, known_types_only=False, directory=self._directory
        )
        self.router = APIRouter()
        self._routers = [trigger_health_router(self._triggers)]
        self.router.include_router(self._routers[0])

    @property
    def triggers(self) -> Mapping[str, JobTrigger]:
        """The triggers by name, in the order they were added."""
        return MappingProxyType(self._triggers)

    @property
    def has_workers(self) -> bool:
        """Whether this process executes jobs, or only creates them."""
        return self._has_workers

    @property
    def processes(self) -> int:
        """In how many processes ``portico worker`` runs the workers, as `worker_options` have it."""
        return int(self._worker_options.get("processes", 1))

    @property
    def queue_names(self) -> tuple[str, ...]:
        """What the workers serve, the first before the others."""
        if self._queues is not None:
            return self._queues
        named = set(self.registry.queue_names()).union(*map(_queue_names_of, self._triggers.values()))
        return ("default", *sorted(named - {"default"}))

    def only_work(self, *, queues: Sequence[str] | None = None, concurrency: int | None = None) -> None:
        """Run workers and no triggers from the next start on, also where this application was made without workers.

        Args:
            queues: what they serve, in place of what the application says.
            concurrency: how many jobs run at once, in place of what the application says.

        """
        self._has_workers, self._has_triggers = True, False
        self._queues = self._queues if queues is None else tuple(queues)
        self._worker_options |= {"processes": 1} | ({} if concurrency is None else {"concurrency": concurrency})

    def add(self, trigger: JobTrigger, name: str | None = None) -> None:
        """Let a trigger live and die with this application, under `name` (by default its own, or its kind's).

        A trigger that takes a store and an inbox is given this application's where it has none.

        Raises:
            ConfigurationError: it is no trigger, another has the name, or the application runs already.

        """
        _require_trigger(trigger)
        own = trigger.name if isinstance(trigger, _TakesState) else None
        called = name or own or _default_name(type(trigger))
        if self._exit_stack is not None:
            raise ConfigurationError(f"trigger '{called}' must be added before the application starts")
        if called in self._triggers:
            raise ConfigurationError(
                f"two triggers are called '{called}'; give one of them another name: jobs.add(trigger, name=...)"
            )
        if isinstance(trigger, _TakesState):
            trigger.use(name=called, store=self.store, inbox=self.inbox)
        if self._rate_limiter is not None and isinstance(trigger, _LimitsRates):
            trigger.use_rate_limiter(self._rate_limiter)
        self._triggers[called] = trigger
        if isinstance(router := getattr(trigger, "router", None), APIRouter):
            # health last: it is asked for least, and a router that is passed by takes time with each request
            self._routers.insert(-1, router)
            self.router.include_router(router)

    @asynccontextmanager
    async def lifespan(self, app: FastAPI) -> AsyncIterator[None]:
        """Run with a FastAPI application: ``FastAPI(lifespan=jobs.lifespan)``.

        Routes that the application has not included are included now, without a prefix.
        """
        for router in self._routers:
            if not is_routed(app.routes, router):
                app.include_router(router)
        async with self:
            yield

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.stop()

    @override
    async def _open(self, stack: AsyncExitStack) -> None:
        await self.queue.initialize()
        stack.push_async_callback(self._close_queue)
        for resource in (self.store, self.inbox):
            await resource.initialize()
            stack.push_async_callback(resource.close)
        if self._rate_limiter is not None:
            stack.push_async_callback(self._rate_limiter.close)
        if self._has_workers:
            self._worker = self._make_worker()
            self._warn_of_missing_handlers()
            await self._begin(stack, self._worker)
            await self._begin(stack, self._inbox_pruning)
        await self._begin(stack, self._directory)
        for name, trigger in self._triggers.items() if self._has_triggers else ():
            try:
                await self._begin(stack, trigger)
            except Exception as error:
                raise _named(name, error) from error
            logger.debug("trigger_started", trigger=name, trigger_type=type(trigger).__name__)

    async def _close_queue(self) -> None:
        left = [] if self._worker is None else [str(job.id) for job in self._worker.running_jobs]
        if not left:
            await self.queue.close()
            return
        # closing gives every claim back, and these run on in threads: they are held until the process ends
        logger.warning("queue_left_open", running_jobs=left)

    def _make_worker(self) -> WorkerManager:
        self._directory.serve(self.queue_names)
        return WorkerManager(
            job_queue=self.queue,
            handlers=self.registry,
            queues=list(self.queue_names),
            clock=self._clock,
            **self._worker_options,
        )

    def _warn_of_missing_handlers(self) -> None:
        for name, trigger in self._triggers.items():
            # what goes to a queue that is not served here may have its handlers elsewhere
            if _queue_names_of(trigger) <= set(self.queue_names):
                for job_type in sorted(_job_types_of(trigger) - set(self.registry)):
                    nearest = self.registry.nearest(job_type)
                    hint = f"did you mean {nearest!r}?" if nearest else "compose.jobs(..., handlers=[...])"
                    logger.warning("job_handler_missing", trigger=name, job_type=job_type, hint=hint)

    @staticmethod
    async def _begin(stack: AsyncExitStack, part: "JobTrigger | Service") -> None:
        # before the start: a start that is cancelled half-way is stopped too
        stack.push_async_callback(part.stop)
        await part.start()


def _without_password(url: str) -> str:
    return re.sub(r"(?<=://)([^/@:]*):[^/]*@", r"\1:***@", url)


def _default_name(trigger_type: type[JobTrigger]) -> str:
    if trigger_type.__name__ in TRIGGER_DEFAULT_NAMES:
        return TRIGGER_DEFAULT_NAMES[trigger_type.__name__]
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", trigger_type.__name__.removesuffix("Trigger")).lower() or "trigger"


def _require_trigger(added: object) -> None:
    if not isinstance(added, JobTrigger):
        kind = f"the class {added.__name__}" if isinstance(added, type) else type(added).__name__
        raise ConfigurationError(f"jobs.add takes a trigger, not {kind}; handlers go into compose.jobs(handlers=[...])")


def _queue_names_of(trigger: JobTrigger) -> frozenset[str]:
    return frozenset(getattr(trigger, "queue_names", ()))


def _job_types_of(trigger: JobTrigger) -> frozenset[str]:
    return frozenset(getattr(trigger, "job_types", ()))


def _named(name: str, error: Exception) -> PorticoError:
    """Return the error with the trigger's name in front, of the same class where that is one of ours."""
    kind = type(error) if isinstance(error, (ConfigurationError, ExternalServiceError)) else PorticoError
    text = str(error) if isinstance(error, PorticoError) else describe(error)
    named = kind.__new__(kind)
    PorticoError.__init__(named, f"trigger '{name}' could not start: {text}", details={"trigger": name}, cause=error)
    return named
