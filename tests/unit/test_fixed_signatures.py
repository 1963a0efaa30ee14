"""Signatures that code elsewhere relies on."""

import importlib

from portico.adapters.job_queue.memory_queue import MemoryJobQueueAdapter
from portico.adapters.job_trigger.webhook_trigger import WebhookConfig
from portico.exceptions import RateLimitError
from portico.kits.job import JobService


def test_every_error_takes_a_message_details_and_a_cause() -> None:
    cause = OSError()
    error = RateLimitError("too fast", {"limit": 1}, cause)
    assert (str(error), error.details, error.cause, error.retry_after_seconds) == ("too fast", {"limit": 1}, cause, 0.0)


def test_a_webhooks_prefix_and_job_types_may_be_given_by_position() -> None:
    config = WebhookConfig("/hooks", ["a"])
    assert (config.prefix, config.allowed_job_types) == ("/hooks", ["a"])


def test_a_service_takes_handlers_as_a_worker_does() -> None:
    assert JobService(job_queue=MemoryJobQueueAdapter(), registry={}) is not None


def test_the_suites_are_an_attribute_of_the_testing_package() -> None:
    assert importlib.import_module("portico.testing").contracts.JobQueueContract is not None
