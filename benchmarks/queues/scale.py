"""Does the time to drain grow with the queue alone? ``python -m benchmarks.queues.scale [--store sqlite]``.

Drains 10,000, 100,000 and 1,000,000 queued jobs, then 100,000 more beside the million that finished and are kept. The
memory shown has the marks in it, 12 bytes for each job: see `memory` for the worker's own.
"""

import argparse
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.queues import calibration
from benchmarks.queues.marks import Marks, folder
from benchmarks.queues.measuring import wait_until_drained
from benchmarks.queues.processes import WorkerProcess, environment, produce
from benchmarks.queues.roster import MATCHES, Contender
from benchmarks.queues.stores import STORES

SIZES = (10_000, 100_000, 1_000_000)
AFTERWARDS = 100_000
_SLOWEST_PER_SECOND = 500


@dataclass(frozen=True, kw_only=True)
class Drained:
    """What one drain took."""

    jobs: int
    bulk_per_second: float
    seconds: float
    peak_megabytes: float
    calibration_ms: float

    @property
    def microseconds_per_job(self) -> float:
        """The time of a drain by its size."""
        return self.seconds / self.jobs * 1e6


def drain(contender: Contender, url: str, jobs: int, *, first: int = 0) -> Drained:
    """Queue so many jobs, then start a worker and wait for the last of them."""
    calibration_ms = calibration.milliseconds()
    with tempfile.TemporaryDirectory(prefix="portico-bench-marks-", dir=folder()) as place:
        marks_path = Path(place) / "marks"
        with Marks.create(marks_path, jobs) as marks:
            environ = environment(contender, url, marks_path)
            bulk = produce(contender, environ, "bulk", jobs, first)["per_second"]
            with WorkerProcess(contender, environ, Path(place) / "log") as worker:
                if lost := wait_until_drained(worker, marks, jobs, 60 + jobs / _SLOWEST_PER_SECOND):
                    print(f"  {lost} of {jobs} jobs did not run")
            return Drained(
                jobs=jobs,
                bulk_per_second=bulk,
                seconds=marks.span_seconds(jobs),
                peak_megabytes=worker.peak_megabytes,
                calibration_ms=calibration_ms,
            )


def main() -> None:
    """Print one line per size."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.queues.scale", description=__doc__)
    parser.add_argument("--store", choices=list(STORES), default="sqlite")
    parser.add_argument("--sizes", type=lambda text: [int(size) for size in text.split(",")], default=SIZES)
    arguments = parser.parse_args()
    store, contender = STORES[arguments.store](), MATCHES[arguments.store].contenders[0]
    print(f"{store.description()}; {contender.settings}; durability: {contender.durability}")
    print(
        f"{'queued':>12}{'kept':>12}{'bulk /s':>10}{'drain s':>10}{'us/job':>9}{'ratio':>9}{'RSS MB':>8}{'loop ms':>9}"
    )
    found: list[Drained] = []
    for size in arguments.sizes:
        with store.empty() as url:
            found.append(drain(contender, url, size))
            _print_line(found[-1], found[0], kept=0)
            if size == max(arguments.sizes):
                _print_line(drain(contender, url, min(AFTERWARDS, size), first=size), found[0], kept=size)


def _print_line(drained: Drained, first: Drained, *, kept: int) -> None:
    ratio = drained.microseconds_per_job / first.microseconds_per_job
    print(
        f"{drained.jobs:12,}{kept:12,}{drained.bulk_per_second:10,.0f}{drained.seconds:10.2f}"
        f"{drained.microseconds_per_job:9.1f}{ratio:8.2f}x{drained.peak_megabytes:8.0f}{drained.calibration_ms:9.0f}",
        flush=True,
    )


if __name__ == "__main__":
    main()
