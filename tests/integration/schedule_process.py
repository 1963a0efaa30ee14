"""One replica of a schedule trigger as a process of its own, with a clock that is wrong and a life that may end."""

import asyncio
import json
import os
import random
import signal
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from typing_extensions import override

from portico.adapters.job_queue.database_queue import DatabaseJobQueueAdapter
from portico.adapters.job_queue.redis_queue import RedisJobQueueAdapter
from portico.adapters.job_trigger.schedule_trigger import ScheduleConfig, ScheduleTrigger
from portico.kits.job import JobService
from portico.runtime.clock import SystemClock
from portico.runtime.schedule_progress import Due


class SkewedClock(SystemClock):
    """A clock that is wrong by so many seconds."""

    def __init__(self, seconds: float) -> None:
        self._skew = timedelta(seconds=seconds)

    @override
    def now(self) -> datetime:
        return super().now() + self._skew


class MortalTrigger(ScheduleTrigger):
    """Dies now and then after a job was created and before the cursor is moved."""

    deaths_per_tick = 0.0

    @override
    def _finished_together(self, dues: Sequence[Due]) -> None:
        if random.random() < self.deaths_per_tick * len(dues):
            os.kill(os.getpid(), signal.SIGKILL)
        super()._finished_together(dues)


def queue_of(place: Mapping[str, Any]) -> DatabaseJobQueueAdapter | RedisJobQueueAdapter:
    """Return the queue at ``{"url": ..., and its options}``."""
    options = {name: value for name, value in place.items() if name != "url"}
    if place["url"].startswith("redis"):
        return RedisJobQueueAdapter(place["url"], **options)
    return DatabaseJobQueueAdapter(place["url"], **options)


def schedules_of(plan: Mapping[str, Any]) -> list[ScheduleConfig]:
    """Return a schedule for each of the plan's `misfires`."""
    return [
        ScheduleConfig(
            every=plan["every"],
            job_type="soak.tick",
            schedule_id=f"schedule-{number}",
            start_at=datetime.fromisoformat(plan["start"]),
            end_at=datetime.fromisoformat(plan["end"]),
            misfire=misfire,
            max_catchup=10_000,
        )
        for number, misfire in enumerate(plan["misfires"])
    ]


async def main(plan: Mapping[str, Any]) -> None:
    """Run until killed."""
    queue = queue_of(plan["place"])
    await queue.initialize()
    trigger = MortalTrigger(
        JobService(queue),
        schedules_of(plan),
        clock=SkewedClock(plan["skew"]),
        store=queue.trigger_store(),
        inbox=queue.event_inbox(),
    )
    trigger.deaths_per_tick = plan["deaths_per_tick"]
    await trigger.start()
    sys.stdout.write("started\n")
    sys.stdout.flush()
    await asyncio.sleep(3_600)


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))
