"""Three sources of events, three kinds of job, one process: `make run` starts it."""

import asyncio
import csv
from pathlib import Path

from portico import Context, compose, job
from portico.adapters.job_trigger.file_trigger import FileTrigger
from portico.adapters.job_trigger.schedule_trigger import ScheduleConfig, ScheduleTrigger
from portico.adapters.job_trigger.webhook_trigger import WebhookConfig, WebhookTrigger

HERE = Path(__file__).resolve().parent
OUTBOX = HERE / "outbox"


@job("email.send")
async def send_email(ctx: Context, recipient: str = "you@example.com", seconds: float = 0) -> None:
    await asyncio.sleep(seconds)  # a slow mail server
    (OUTBOX / f"{ctx.job.id}.txt").write_text(f"To: {recipient}\n")
    ctx.log.info("email_sent", file=f"outbox/{ctx.job.id}.txt")


@job("outbox.count")
async def count_outbox(ctx: Context) -> None:
    ctx.log.info("outbox_counted", emails=len(list(OUTBOX.glob("*.txt"))))


@job("csv.import")
def import_csv(ctx: Context, file_path: Path) -> dict[str, int]:
    with file_path.open(newline="") as file:
        rows = sum(1 for _ in csv.DictReader(file))
    ctx.log.info("csv_imported", file=file_path.name, rows=rows)
    return {"rows": rows}


jobs = compose.jobs(f"sqlite:///{HERE}/portico.db", handlers=[send_email, count_outbox, import_csv])
jobs.add(WebhookTrigger(jobs.creator, WebhookConfig(allowed_job_types=["email.send"])))
jobs.add(ScheduleTrigger(jobs.creator, [ScheduleConfig(cron="*/10 * * * * *", job_type="outbox.count", payload={})]))
jobs.add(FileTrigger(jobs.creator, HERE / "inbox", job_type="csv.import"))
