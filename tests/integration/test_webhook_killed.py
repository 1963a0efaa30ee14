"""A job that a caller was told of survives the process that told."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from portico import compose

pytestmark = pytest.mark.asyncio

JOB = {"job_type": "email.send", "payload": {"text": "a\u0301 \N{GRINNING FACE} \u200d"}}
SERVER = """
import socket, sys
import uvicorn
from fastapi import FastAPI
from portico import compose
from portico.adapters.job_trigger.webhook_trigger import WebhookConfig, WebhookTrigger

jobs = compose.jobs(sys.argv[1], workers=False, queue_options=eval(sys.argv[3]))
jobs.add(WebhookTrigger(jobs.creator, WebhookConfig(allowed_job_types=["email.send"])))
app = FastAPI(lifespan=jobs.lifespan)
config = uvicorn.Config(app, log_level="error")
uvicorn.Server(config).run(sockets=[socket.socket(fileno=int(sys.argv[2]))])
"""


async def _post_and_kill(url: str, options: dict[str, str]) -> list[str]:
    """Post until the server is killed, and return the ids that were answered."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        command = [sys.executable, "-c", SERVER, url, str(listener.fileno()), repr(options)]
        server = await asyncio.to_thread(subprocess.Popen, command, pass_fds=[listener.fileno()])
        base_url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    answered: list[str] = []

    async def post(client: httpx.AsyncClient) -> None:
        while True:
            answered.append((await client.post("/webhooks/jobs", json=JOB)).json()["job_id"])
            if len(answered) == 100:
                os.kill(server.pid, signal.SIGKILL)

    try:
        async with httpx.AsyncClient(base_url=base_url, timeout=20) as client:
            ended = await asyncio.gather(*(post(client) for _ in range(8)), return_exceptions=True)
    finally:
        server.kill()
        server.wait()
    assert all(isinstance(end, httpx.HTTPError) for end in ended)
    return answered


async def _payloads_of(url: str, options: dict[str, str], job_ids: list[str]) -> list[object]:
    async with compose.jobs(url, workers=False, queue_options=options) as jobs:
        stored = {str(job.id): job.payload for job in await jobs.creator.list_jobs(limit=10_000)}
    return [stored.get(job_id) for job_id in job_ids]


async def test_on_sqlite_every_answered_job_is_there_after_a_kill(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/jobs.db"

    answered = await _post_and_kill(url, {})

    assert await _payloads_of(url, {}, answered) == [JOB["payload"]] * len(answered)


@pytest.mark.webhook_case(80, on="P")
async def test_on_postgresql_every_answered_job_is_there_after_a_kill(postgres_url: str, postgres_schema: str) -> None:
    options = {"schema": postgres_schema}

    answered = await _post_and_kill(postgres_url, options)

    assert await _payloads_of(postgres_url, options, answered) == [JOB["payload"]] * len(answered)


@pytest.mark.webhook_case(80, on="R")
async def test_on_redis_every_answered_job_is_there_after_a_kill(redis_url: str, redis_prefix: str) -> None:
    options = {"prefix": redis_prefix}

    answered = await _post_and_kill(redis_url, options)

    assert await _payloads_of(redis_url, options, answered) == [JOB["payload"]] * len(answered)
