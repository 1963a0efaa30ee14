"""What ``portico run`` says once it serves."""

import json
import shlex
from collections.abc import Iterator
from datetime import UTC, datetime

from portico import __version__
from portico.compose import Jobs
from portico.kits.job.job_definition import JobDefinition
from portico.ports.job_trigger import JobTrigger


def banner(target: str, address: str, jobs: Jobs | None) -> str:
    """Return the lines: the address, the triggers with their next fire, the queue, the handlers, what to try."""
    lines = [f"portico {__version__}  {target}", f"  address   {address}"]
    if jobs is not None:
        lines += _describe(jobs, address)
    lines.append("  stop      Ctrl-C")
    return "\n".join(lines) + "\n\n"


def _describe(jobs: Jobs, address: str) -> Iterator[str]:
    served = ", ".join(jobs.queue_names) if jobs.has_workers else "not worked here"
    yield f"  queue     {jobs.url}  ({served})"
    yield f"  handlers  {', '.join(sorted(jobs.registry)) or 'none'}"
    for name, trigger in jobs.triggers.items():
        yield f"  trigger   {name:<10} {_summary(trigger, address)}"
    yield f"  health    {address}/health/triggers"
    if example := _example(jobs, address):
        yield f"  try       {example}"


def _summary(trigger: JobTrigger, address: str) -> str:
    text = str(getattr(trigger, "summary", type(trigger).__name__))
    if text.startswith("POST /"):
        text = text.replace("POST ", f"POST {address}", 1)
    next_fire = getattr(trigger, "next_fire", None)
    moment = next_fire() if callable(next_fire) else None
    return text if moment is None else f"{text}  next {_in_words(moment)}"


def _in_words(moment: datetime) -> str:
    seconds = max(0, round((moment - datetime.now(UTC)).total_seconds()))
    days, rest = divmod(seconds, 86_400)
    hours, rest = divmod(rest, 3_600)
    minutes, seconds = divmod(rest, 60)
    parts = [(days, "d"), (hours, "h"), (minutes, "min"), (seconds, "s")]
    largest = [f"{count} {unit}" for count, unit in parts if count][:2]
    return f"in {' '.join(largest) or '0 s'} ({moment.astimezone():%a %d %b %H:%M:%S})"


def _example(jobs: Jobs, address: str) -> str | None:
    for trigger in jobs.triggers.values():
        if callable(example_request := getattr(trigger, "example_request", None)):
            path, body = example_request(sorted(jobs.registry))
            handler = jobs.registry.get(body["job_type"])
            if isinstance(handler, JobDefinition) and not body["payload"]:
                body["payload"] = handler.example_payload()
            return f"curl {address}{path} -H 'content-type: application/json' -d {shlex.quote(json.dumps(body))}"
    return None
