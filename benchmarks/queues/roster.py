"""Who is measured on which store, with which settings, and what is to be reached."""

import os
from dataclasses import dataclass

_PROCESSES = os.cpu_count() or 1
_POSTGRESQL_DURABILITY = "commits wait for the disk (synchronous_commit of the server)"
_REDIS_DURABILITY = "none: the server keeps no file (the same for all)"


@dataclass(frozen=True, kw_only=True)
class Contender:
    """One queue with one set of settings on one store.

    A variant has other settings than the contender it belongs to: it is shown beside it and is not who the goals speak
    of. `worker` is what follows ``python -m``.
    """

    name: str
    module: str
    distribution: str
    settings: str
    durability: str
    bulk: str
    worker: tuple[str, ...] = ()
    jobs: int = 20_000
    variant: str = ""
    is_variant: bool = False

    @property
    def is_ours(self) -> bool:
        """True for Portico, whatever its settings."""
        return self.distribution == "portico-jobs"

    @property
    def worker_command(self) -> tuple[str, ...]:
        """What follows ``python -m``."""
        return self.worker or ("benchmarks.queues.work", self.module)


@dataclass(frozen=True, kw_only=True)
class Goal:
    """Ours against the best peer: rates at least so many times, waiting at most so much of it."""

    one: float
    bulk: float
    drain: float
    p50: float


@dataclass(frozen=True, kw_only=True)
class Match:
    """All contenders on one store."""

    store: str
    title: str
    goal: Goal
    contenders: tuple[Contender, ...]


def _portico(name: str, durability: str, *, variant: str = "") -> Contender:
    return Contender(
        name=name,
        module="portico_queue",
        distribution="portico-jobs",
        settings="1 process, concurrency 100, otherwise its defaults",
        durability=durability,
        bulk="enqueue_many, 1,000 a call",
        variant=variant,
        is_variant=bool(variant),
    )


def _huey(name: str, settings: str, durability: str, *, variant: str = "") -> Contender:
    return Contender(
        name=name,
        module="huey_queue",
        distribution="huey",
        settings=f"{settings}, no results, no periodic tasks, at most once",
        durability=durability,
        bulk="one by one (it has no bulk call)",
        variant=variant,
        is_variant=bool(variant),
    )


def _dramatiq(name: str, processes: int, *, is_variant: bool) -> Contender:
    return Contender(
        name=name,
        module="dramatiq_queue",
        distribution="dramatiq",
        settings=f"{processes} process(es) (default: {_PROCESSES} here) with 8 threads, prefetch 200, no results",
        durability=_REDIS_DURABILITY,
        bulk="one by one (it has no bulk call)",
        worker=("dramatiq", "benchmarks.queues.contenders.dramatiq_queue", "-p", str(processes), "-t", "8"),
        is_variant=is_variant,
    )


def _taskiq(name: str, processes: int, *, is_variant: bool) -> Contender:
    broker = "benchmarks.queues.contenders.taskiq_queue:broker"
    limits = ("--max-async-tasks", "200", "--max-prefetch", "200", "--log-level", "WARNING")
    return Contender(
        name=name,
        module="taskiq_queue",
        distribution="taskiq-redis",
        settings=f"{processes} process(es) (default: 2) and a parent, stream, 200 tasks at once, prefetch 200",
        durability=_REDIS_DURABILITY,
        bulk="100 producers at once (it has no bulk call)",
        worker=("taskiq", "worker", broker, "-w", str(processes), *limits),
        is_variant=is_variant,
    )


SQLITE = Match(
    store="sqlite",
    title="SQLite",
    goal=Goal(one=1.5, bulk=7, drain=6, p50=0.3),
    contenders=(
        _portico("portico", 'durability="process" (default): WAL, NORMAL, fdatasync every 100 ms'),
        _huey("huey", "1 thread, polls every 10 ms (default 100 ms to 10 s)", "WAL, FULL (SQLite's default)"),
        _portico("portico, power", 'durability="power": WAL, FULL', variant="power"),
        _huey("huey, fsync=False", "as huey", "WAL, OFF", variant="unsynced"),
    ),
)
POSTGRESQL = Match(
    store="postgresql",
    title="PostgreSQL",
    goal=Goal(one=1.3, bulk=1.5, drain=2.5, p50=0.7),
    contenders=(
        _portico("portico", 'durability="power" (default): creating and failing wait for the disk'),
        Contender(
            name="pgqueuer",
            module="pgqueuer_queue",
            distribution="pgqueuer",
            settings="1 process, 1 asyncpg connection, batches of 200 (default 10)",
            durability=_POSTGRESQL_DURABILITY,
            bulk="lists, 1,000 a call",
        ),
        Contender(
            name="procrastinate",
            module="procrastinate_queue",
            distribution="procrastinate",
            settings="1 process, concurrency 20, psycopg pool of 20, LISTEN/NOTIFY, finished jobs kept (default)",
            durability=_POSTGRESQL_DURABILITY,
            bulk="batch_defer, 1,000 a call",
            jobs=2_000,
        ),
        Contender(
            name="asyncpg alone",
            module="asyncpg_alone",
            distribution="asyncpg",
            settings="no queue: rows are inserted, then deleted in batches of 200, polled for every 1 ms, at most once",
            durability=_POSTGRESQL_DURABILITY,
            bulk="unnest, 1,000 a call",
            is_variant=True,
        ),
    ),
)
REDIS = Match(
    store="redis",
    title="Redis",
    goal=Goal(one=1, bulk=4, drain=3, p50=1.3),
    contenders=(
        _portico("portico", _REDIS_DURABILITY),
        _dramatiq("dramatiq", 1, is_variant=False),
        _taskiq("taskiq", 1, is_variant=False),
        _huey("huey", "1 process with 2 threads, blocking pop", _REDIS_DURABILITY),
        _dramatiq(f"dramatiq, {_PROCESSES} processes", _PROCESSES, is_variant=True),
        _taskiq("taskiq, 2 processes", 2, is_variant=True),
    ),
)
MATCHES = {match.store: match for match in (SQLITE, POSTGRESQL, REDIS)}
MEMORY_DRAIN_GOAL = 60_000
