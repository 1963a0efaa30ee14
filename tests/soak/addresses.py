"""Where the queue of a soak test is, in a form that its processes can be told."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from portico.adapters.job_queue.database_queue import DatabaseJobQueueAdapter
from portico.adapters.job_queue.redis_queue import RedisJobQueueAdapter
from portico.ports.job_queue import JobQueueAdapter


@dataclass(frozen=True)
class Address:
    """A queue's URL, and the options of its adapter."""

    url: str
    options: Mapping[str, Any] = field(default_factory=dict)

    def open(self, **options: Any) -> JobQueueAdapter:
        """Return an adapter that is not initialised."""
        adapter = RedisJobQueueAdapter if self.url.startswith("redis") else DatabaseJobQueueAdapter
        queue: JobQueueAdapter = adapter(self.url, **{**self.options, **options})
        return queue

    def told(self) -> str:
        """Return what `heard` understands."""
        return json.dumps([self.url, self.options])

    @classmethod
    def heard(cls, told: str) -> Self:
        """Return the address that a process was told."""
        return cls(*json.loads(told))
