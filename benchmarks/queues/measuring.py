"""One record: everything that is measured of one contender in one repeat."""

import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.queues import calibration
from benchmarks.queues.marks import Marks, folder
from benchmarks.queues.processes import MeasuringError, WorkerProcess, environment, produce
from benchmarks.queues.produce import LATE_SECONDS, WARM_UP_JOBS
from benchmarks.queues.roster import Contender
from benchmarks.queues.stores import Store

LATENCY_JOBS = 300
DRAIN_LIMIT_SECONDS = 180.0
_LOOK_SECONDS = 0.01
_SETTLE_SECONDS = 1.5


@dataclass(kw_only=True)
class Record:
    """What was measured, by the names of the tables' columns, and what went wrong."""

    contender: Contender
    repeat: int
    calibration_ms: float
    values: dict[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def measure(contender: Contender, store: Store, repeat: int) -> Record:
    """Measure creating on one empty store, then bulk, drain and waiting on another."""
    record = Record(contender=contender, repeat=repeat, calibration_ms=calibration.milliseconds())
    with tempfile.TemporaryDirectory(prefix="portico-bench-marks-", dir=folder()) as place:
        marks_path = Path(place) / "marks"
        with Marks.create(marks_path, contender.jobs + WARM_UP_JOBS + LATENCY_JOBS) as marks:
            try:
                with store.empty() as url:
                    created = produce(contender, environment(contender, url, marks_path), "one", 0)
                record.values["one"] = created["per_second"]
                with store.empty() as url:
                    _work_off(record, marks, environment(contender, url, marks_path), Path(place) / "log")
            except MeasuringError as error:
                record.notes.append(str(error))
    return record


def wait_until_drained(worker: WorkerProcess, marks: Marks, jobs: int, limit_seconds: float) -> int:
    """Watch until every job ran, and return how many did not."""
    deadline = time.monotonic() + limit_seconds
    while (missing := marks.missing(jobs)) and time.monotonic() < deadline:
        worker.require_alive()
        worker.sample()
        time.sleep(_LOOK_SECONDS)
    return missing


def _work_off(record: Record, marks: Marks, environ: dict[str, str], log: Path) -> None:
    contender, jobs = record.contender, record.contender.jobs
    record.values["bulk"] = produce(contender, environ, "bulk", jobs)["per_second"]
    with WorkerProcess(contender, environ, log) as worker:
        lost = wait_until_drained(worker, marks, jobs, DRAIN_LIMIT_SECONDS)
        if span := marks.span_seconds(jobs):
            record.values["drain"] = (jobs - lost - 1) / span
        if lost:
            record.notes.append(f"{lost} of {jobs} jobs did not run within {DRAIN_LIMIT_SECONDS:.0f} s")
        else:
            _add_latency(record, environ, worker)
        worker.sample()
        record.values |= {"rss": worker.peak_megabytes, "processes": worker.processes}
    if repeated := marks.repeated(marks.slots):
        record.notes.append(f"{repeated} jobs ran more than once")


def _add_latency(record: Record, environ: dict[str, str], worker: WorkerProcess) -> None:
    # the last answers are written, and pollers have gone idle
    time.sleep(_SETTLE_SECONDS)
    found = produce(record.contender, environ, "latency", LATENCY_JOBS, record.contender.jobs)
    worker.sample()
    if late := int(found.pop("late")):
        record.notes.append(
            f"{late} of {LATENCY_JOBS + WARM_UP_JOBS} single jobs did not start within {LATE_SECONDS:.0f} s"
        )
    record.values |= {"p50": found["p50_ms"], "p99": found["p99_ms"]}
