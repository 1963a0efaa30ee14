"""What `portico run` says once it serves."""

from datetime import UTC, datetime, timedelta

import pytest

from portico import Context, compose, job
from portico.adapters.job_trigger.webhook_trigger import WebhookConfig, WebhookTrigger
from portico.cli.banner import _in_words, banner


@job("note.write")
async def write_note(ctx: Context, text: str = "hello", copies: int = 1) -> None: ...


def test_it_names_the_address_the_store_the_queues_and_the_handlers() -> None:
    said = banner("app.py", "http://127.0.0.1:7070", compose.jobs("memory://", handlers=[write_note]))
    for part in ("app.py", "http://127.0.0.1:7070", "memory://", "default", "note.write", "/health/triggers"):
        assert part in said


def test_it_invites_to_try_a_request_that_the_webhook_accepts() -> None:
    jobs = compose.jobs("memory://", handlers=[write_note])
    jobs.add(WebhookTrigger(jobs.creator, WebhookConfig(prefix="/hooks", allowed_job_types=["note.write"])))
    said = banner("app.py", "http://127.0.0.1:7070", jobs)
    assert "curl http://127.0.0.1:7070/hooks/jobs" in said
    assert '"job_type": "note.write"' in said
    assert "POST http://127.0.0.1:7070/hooks/jobs" in said


def test_the_request_has_what_the_handler_needs() -> None:
    @job("mail.send")
    async def send(recipient: str, copies: int = 1) -> None: ...

    jobs = compose.jobs("memory://", handlers=[send])
    jobs.add(WebhookTrigger(jobs.creator, WebhookConfig(allowed_job_types=["mail.send"])))
    assert '"payload": {"recipient": "recipient"}' in banner("app.py", "http://127.0.0.1:7070", jobs)


def test_an_application_without_jobs_has_its_address() -> None:
    assert "http://127.0.0.1:7070" in banner("app.py", "http://127.0.0.1:7070", None)


@pytest.mark.parametrize(
    ("ahead", "words"),
    [
        (timedelta(seconds=9), "in 9 s"),
        (timedelta(minutes=61), "in 1 h 1 min"),
        (timedelta(days=2, hours=3), "in 2 d 3 h"),
        (timedelta(seconds=-5), "in 0 s"),
    ],
)
def test_a_coming_moment_is_said_in_words(ahead: timedelta, words: str) -> None:
    assert _in_words(datetime.now(UTC) + ahead).startswith(words)
