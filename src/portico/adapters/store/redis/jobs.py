"""Jobs on Redis."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from typing_extensions import override

from portico.adapters.job_store import (
    Claim,
    Completion,
    Holding,
    JobFilter,
    JobStore,
    KeepingRules,
    Rejection,
    unique_key_taken,
    unknown_page,
    with_fields,
)
from portico.adapters.ready_signals import ReadySignals
from portico.adapters.store.redis.batches import RedisBatches
from portico.adapters.store.redis.bell import Bell
from portico.adapters.store.redis.claims import RedisClaims
from portico.adapters.store.redis.records import job_from_record, new_record, status_from, without_payload
from portico.adapters.store.redis.single_calls import SingleCalls
from portico.adapters.store.redis.store import RedisStore
from portico.adapters.store.redis.wire import Argument
from portico.adapters.stored_moments import microseconds
from portico.exceptions import PorticoError
from portico.ports.job import Job, JobStatus, QueueStats
from portico.ports.job_lifecycle import CANCELLED_MESSAGE, CRASHED_MESSAGE
from portico.runtime.documents import encode
from portico.utils.logging import get_logger

Item = TypeVar("Item")

# so many a call, so that no other client waits for more than a few milliseconds
_AT_ONCE = 250
_LOOKED_AT_ONCE = 1000
_SLOTS_AT_ONCE = 10

logger = get_logger(__name__)


class RedisJobs(JobStore):
    """Every method is one function on the server, or several of a bounded size; concurrent single calls become one."""

    def __init__(self, store: RedisStore, rules: KeepingRules) -> None:
        self._store = store
        self._rules = rules
        self._lease = round(rules.lease_seconds * 1_000_000)
        self._held_for = round(rules.idempotency_seconds * 1_000_000)
        self._signals = ReadySignals(store.clock)
        self._bell = Bell(store, self._signals)
        self._claims = RedisClaims(store, rules, self._signals)
        self._batches = RedisBatches(store, rules.idempotency_seconds)
        self._insertions = SingleCalls(self._insert, name="portico-redis-insert", max_batch=_AT_ONCE)
        self._completions = SingleCalls(self._complete, name="portico-redis-complete", max_batch=_AT_ONCE)
        self._resources = AsyncExitStack()

    @override
    async def open(self) -> None:
        async with AsyncExitStack() as stack:
            await self._store.open(self)
            stack.push_async_callback(self._store.close, self)
            stack.push_async_callback(self._insertions.drain)
            stack.push_async_callback(self._batches.drain)
            stack.push_async_callback(self._completions.drain)
            listener = asyncio.create_task(self._bell.listen(), name="portico-redis-bell")
            stack.push_async_callback(_end, listener)
            self._resources = stack.pop_all()

    @override
    async def close(self) -> None:
        async with self._resources:
            try:
                await self._release(await self._claims.take_back())
            except PorticoError as error:
                # the leases end by themselves
                logger.warning("claims_not_given_back", error=str(error))
            self._signals.ring_all()

    @override
    async def insert(self, jobs: Sequence[Job]) -> list[Job]:
        # all records first: a job that is not JSON must not leave half of a batch behind
        records = [new_record(job, self._rules.max_payload_bytes) for job in jobs]
        if len(records) == 1:
            answers = [await self._insertions.submit(records[0])]
        elif len(records) <= _AT_ONCE:
            answers = await self._insert(records)
        else:
            answers = await self._batches.insert(records)
        stored = [_stored(job, answer) for job, answer in zip(jobs, answers, strict=True)]
        self._ring_unheard()
        return stored

    @override
    async def claim(self, queue_name: str, limit: int) -> list[Claim]:
        return await self._claims.claim(queue_name, min(limit, _AT_ONCE))

    @override
    async def complete(self, completions: Sequence[Completion]) -> list[bool]:
        answers = [(each.holding.job_id.bytes, _token(each.holding), _text(each.result)) for each in completions]
        if len(answers) == 1:
            done = [await self._completions.submit(answers[0])]
        else:
            done = [answer for chunk in _chunks(answers) for answer in await self._complete(chunk)]
        self._claims.forget(each.holding for each in completions)
        return done

    @override
    async def reject(self, rejection: Rejection) -> bool:
        message = rejection.error_message
        [done] = await self._store.run(
            "job_reject",
            rejection.holding.job_id.bytes,
            _token(rejection.holding),
            "1" if rejection.requeue else "0",
            "" if message is None else f"={message}",
            self._time(rejection.retry_at),
            is_repeatable=True,
        )
        return self._answered(rejection.holding, done)

    @override
    async def release(self, holding: Holding, available_at: datetime | None) -> bool:
        [done] = await self._release([holding], available_at)
        return self._answered(holding, done)

    @override
    async def extend(self, held: Mapping[UUID, int]) -> frozenset[UUID]:
        lost = await self._those_of("job_extend", held, self._lease)
        self._claims.forget(Holding(job_id, held[job_id]) for job_id in lost)
        return lost

    @override
    async def recover(self) -> int:
        await self._batches.recover()
        await self._look_at_slots()
        recovered, more = 0, 1
        while more:
            count, more = await self._store.run(
                "job_recover", self._rules.max_crashes, CRASHED_MESSAGE, is_repeatable=True
            )
            recovered += count
        if recovered:
            logger.info("jobs_recovered", count=recovered, server=self._store.address.place)
            self._ring_unheard()
        return recovered

    @override
    async def prune_ended(self, statuses: frozenset[JobStatus], ended_before: datetime) -> int:
        deleted = 0
        arguments = (self._held_for, microseconds(ended_before), *(status.value for status in statuses))
        while count := await self._store.run("job_prune", *arguments, is_repeatable=True):
            deleted += count
        return deleted

    @override
    async def request_abort(self, job_id: UUID) -> bool:
        return bool(await self._store.run("job_abort", job_id.bytes, CANCELLED_MESSAGE, is_repeatable=True))

    @override
    async def abort_requests(self, held: Mapping[UUID, int]) -> frozenset[UUID]:
        return await self._those_of("job_aborts", held)

    @override
    async def get(self, job_id: UUID) -> Job | None:
        record = await self._store.run("job_get", job_id.bytes, is_repeatable=True)
        return None if record is None else job_from_record(job_id.bytes, *record)

    @override
    async def cancel(self, job_id: UUID) -> bool:
        return bool(await self._store.run("job_cancel", job_id.bytes, CANCELLED_MESSAGE))

    @override
    async def revive(self, job_id: UUID) -> bool:
        answer = await self._store.run("job_revive", job_id.bytes)
        if isinstance(answer, bytes):
            raise unique_key_taken(job_id, UUID(bytes=answer))
        self._ring_unheard()
        return bool(answer)

    @override
    async def delete(self, job_id: UUID) -> bool:
        record = await self._store.run("job_get", job_id.bytes, is_repeatable=True)
        if record is None:
            return False
        kept = without_payload(record[0])
        return bool(await self._store.run("job_delete", job_id.bytes, self._held_for, kept))

    @override
    async def list_jobs(self, which: JobFilter) -> list[Job]:
        below: Argument | None = ""
        if which.after is not None:
            below = await self._store.command("ZSCORE", self._store.key("order"), which.after.bytes)
            if below is None:
                raise unknown_page(which.after)
        status = "" if which.status is None else which.status.value
        jobs: list[Job] = []
        while below is not None and len(jobs) < which.limit:
            wanted = min(which.limit - len(jobs), _AT_ONCE)
            narrowing = (which.queue_name or "", status, which.job_type or "", which.error_contains or "")
            below, *found = await self._store.run(
                "job_list", below, _LOOKED_AT_ONCE, wanted, *narrowing, is_repeatable=True
            )
            # the text and the time are in the record, which the function does not open
            jobs += filter(which.finds, (job_from_record(*record) for record in found))
        return jobs

    @override
    async def stats(self, queue_name: str) -> QueueStats:
        counts = await self._store.run("job_stats", queue_name, is_repeatable=True)
        return QueueStats(queue_name, *counts)

    @override
    async def set_paused(self, queue_name: str, *, paused: bool) -> None:
        # twice is as good as once, so both may be repeated
        await self._store.command("SADD" if paused else "SREM", self._store.key("paused"), queue_name)
        await self._store.command("PUBLISH", self._store.key("bell"), queue_name)
        self._ring_unheard()

    @override
    async def wait(self, queue_names: Sequence[str], timeout: float) -> None:
        await self._signals.wait(queue_names, timeout)

    async def _insert(self, records: Sequence[tuple[Argument, ...]]) -> list[Any]:
        arguments = [part for record in records for part in record]
        answers: list[Any] = await self._store.run("job_insert", self._held_for, *arguments, is_repeatable=True)
        return answers

    async def _complete(self, answers: Sequence[tuple[Argument, ...]]) -> list[bool]:
        arguments = [part for answer in answers for part in answer]
        return [bool(done) for done in await self._store.run("job_complete", *arguments, is_repeatable=True)]

    async def _release(self, holdings: Sequence[Holding], available_at: datetime | None = None) -> list[bool]:
        done: list[bool] = []
        for chunk in _chunks(holdings):
            arguments = [part for each in chunk for part in (each.job_id.bytes, _token(each), self._time(available_at))]
            done += [bool(each) for each in await self._store.run("job_release", *arguments, is_repeatable=True)]
        return done

    async def _those_of(self, operation: str, held: Mapping[UUID, int], *first: Argument) -> frozenset[UUID]:
        """Return the ids that an operation answers of claims."""
        ids: list[bytes] = []
        for chunk in _chunks(list(held.items()), _LOOKED_AT_ONCE):
            pairs = [part for job_id, token in chunk for part in (job_id.bytes, token)]
            ids += await self._store.run(operation, *first, *pairs, is_repeatable=True)
        return frozenset(UUID(bytes=job_id) for job_id in ids)

    async def _look_at_slots(self) -> None:
        """Look at all slots that jobs are parked for: one may have room that nobody told of."""
        cursor: Argument = "0"
        while True:
            cursor, found = await self._store.command("HSCAN", self._store.key("slots"), cursor)
            for slots in _chunks(found[::2], _SLOTS_AT_ONCE):
                await self._store.run("job_sweep", *slots, is_repeatable=True)
            if cursor == b"0":
                return

    def _time(self, shown: datetime | None) -> Argument:
        return "" if shown is None else microseconds(self._store.corrected(shown))

    def _answered(self, holding: Holding, done: object) -> bool:
        self._claims.forget([holding])
        self._ring_unheard()
        return bool(done)

    def _ring_unheard(self) -> None:
        """Wake who waits in this process, where the server's bell is not heard."""
        if not self._bell.is_heard:
            self._signals.ring_all()


def _stored(job: Job, answer: Any) -> Job:
    if answer == 0:
        return job
    is_duplicate, job_id, *stored = answer
    if len(stored) == 1:
        # deleted before schema 2: only the key is left of the first job
        status = status_from(stored[0])
        return with_fields(job, id=UUID(bytes=job_id), status=status, is_duplicate=True)
    return job_from_record(job_id, *stored, is_duplicate=bool(is_duplicate), payload_if_gone=job.payload)


def _token(holding: Holding) -> Argument:
    return "" if holding.token is None else holding.token


def _text(result: dict[str, Any] | None) -> str:
    return "" if result is None else encode(result, "result")


def _chunks(items: Sequence[Item], size: int = _AT_ONCE) -> Iterable[Sequence[Item]]:
    return (items[start : start + size] for start in range(0, len(items), size))


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])
