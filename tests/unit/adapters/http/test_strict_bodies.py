"""Bodies at the edge of what strict JSON lets in, over HTTP."""

import gc
import time

import pytest

from portico.adapters.job_trigger.webhook_trigger import WebhookConfig, WebhookTrigger
from portico.testing import RecordingJobCreator
from tests.unit.adapters.job_trigger.webhooks import JOBS, calling

pytestmark = pytest.mark.asyncio

JSON = {"Content-Type": "application/json"}


def _job(payload: bytes) -> bytes:
    return b'{"job_type": "email.send", "payload": {"a": %s}}' % payload


async def _post(body: bytes) -> tuple[int, str | None, list[object]]:
    creator = RecordingJobCreator()
    async with calling(WebhookTrigger(creator, WebhookConfig(allowed_job_types=["email.send"]))) as client:
        response = await client.post(JOBS, content=body, headers=JSON)
    return response.status_code, response.json().get("code"), [job.payload["a"] for job in creator.jobs]


@pytest.mark.webhook_case(28, 29)
@pytest.mark.parametrize("levels", [64, 65])
async def test_sixty_four_levels_pass_with_those_of_the_request(levels: int) -> None:
    inner = levels - 2
    status, code, jobs = await _post(_job(b"[" * inner + b"]" * inner))

    assert (status, code, len(jobs)) == ((202, None, 1) if levels == 64 else (400, "too_deep", 0))


@pytest.mark.webhook_case(30)
@pytest.mark.parametrize("body", [b"[" * 100_000, _job(b"[" * 100_000), _job(b'{"a":' * 100_000)])
async def test_a_hundred_thousand_brackets_take_no_time(body: bytes) -> None:
    gc.collect()
    started = time.process_time()
    status, _, jobs = await _post(body)

    assert (status, jobs) == (400, [])
    # of this process alone: others may have the machine
    assert time.process_time() - started < 0.2


@pytest.mark.webhook_case(32)
async def test_the_largest_integer_passes_and_the_next_one_does_not() -> None:
    assert await _post(_job(b"%d" % (2**63 - 1))) == (202, None, [2**63 - 1])
    assert await _post(_job(b"%d" % 2**63)) == (400, "number_out_of_range", [])


@pytest.mark.webhook_case(22, 23, 24, 25, 26, 27, 31, 33, 34, 35, 36, 39, 40)
@pytest.mark.parametrize(
    ("body", "code"),
    [
        (_job(b"NaN"), "invalid_json"),
        (_job(b"Infinity"), "invalid_json"),
        (_job(b"-Infinity"), "invalid_json"),
        (_job(b"1e400"), "number_out_of_range"),
        (b'{"job_type": "a", "job_type": "email.send", "payload": {}}', "duplicate_key"),
        (_job(b'{"b": 1, "b": 2}'), "duplicate_key"),
        (_job(b'{"b": 1, "\\u0062": 2}'), "duplicate_key"),
        (_job(b"9" * 5_000), "number_out_of_range"),
        (_job(b'"\\ud800"'), "invalid_unicode"),
        (_job(b'{"\\udfff": 1}'), "invalid_unicode"),
        (_job(b'"x\\u0000"'), "nul_character"),
        (_job(b'{"\\u0000": 1}'), "nul_character"),
        (_job(b'"\xc0\xaf"'), "invalid_unicode"),
        (_job(b'"\xed\xa0\x80"'), "invalid_unicode"),
        (_job(b"1") + b" x", "invalid_json"),
    ],
    ids=lambda value: value[:60].decode("latin-1") if isinstance(value, bytes) else value,
)
async def test_what_readers_would_understand_differently_is_refused(body: bytes, code: str) -> None:
    assert await _post(body) == (400, code, [])
