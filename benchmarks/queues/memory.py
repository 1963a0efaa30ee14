"""Does a worker's memory stay flat? ``python -m benchmarks.queues.memory [--store sqlite] [--jobs 1000000]``.

Prints the resident memory of the worker's process as it works a long queue off.
"""

import argparse
import tempfile
import time
from pathlib import Path

from benchmarks.queues.marks import Marks, folder
from benchmarks.queues.processes import WorkerProcess, environment, produce
from benchmarks.queues.roster import MATCHES
from benchmarks.queues.stores import STORES

GOAL_MEGABYTES = 80
_LINES = 20
_LOOK_SECONDS = 0.05
_SLOWEST_PER_SECOND = 500
# few, so that the marks themselves do not count as the worker's memory
_SLOTS = 1_000


def watch(worker: WorkerProcess, marks: Marks, jobs: int) -> list[float]:
    """Print the memory at each step, and return what was seen."""
    sizes: list[float] = []
    deadline = time.monotonic() + 60 + jobs / _SLOWEST_PER_SECOND
    while len(sizes) < _LINES and time.monotonic() < deadline:
        worker.require_alive()
        worker.sample()
        ran = marks.total()
        if ran >= jobs * (len(sizes) + 1) / _LINES:
            sizes.append(worker.megabytes)
            print(f"{ran:12,}{worker.megabytes:10.1f}", flush=True)
        time.sleep(_LOOK_SECONDS)
    return sizes


def main() -> None:
    """Queue the jobs, then watch one worker run them."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.queues.memory", description=__doc__)
    parser.add_argument("--store", choices=list(STORES), default="sqlite")
    parser.add_argument("--jobs", type=int, default=1_000_000)
    arguments = parser.parse_args()
    store, contender = STORES[arguments.store](), MATCHES[arguments.store].contenders[0]
    print(f"{store.description()}; {contender.settings}; durability: {contender.durability}")
    with tempfile.TemporaryDirectory(prefix="portico-bench-marks-", dir=folder()) as place, store.empty() as url:
        marks_path = Path(place) / "marks"
        with Marks.create(marks_path, _SLOTS) as marks:
            environ = environment(contender, url, marks_path)
            produce(contender, environ, "bulk", arguments.jobs)
            print(f"{'jobs run':>12}{'RSS MB':>10}")
            with WorkerProcess(contender, environ, Path(place) / "log") as worker:
                sizes = watch(worker, marks, arguments.jobs)
            ran = marks.total()
    _print_verdict(ran, arguments.jobs, sizes, worker.peak_megabytes)


def _print_verdict(ran: int, jobs: int, sizes: list[float], peak: float) -> None:
    if ran != jobs:
        print(f"  {ran:,} runs of {jobs:,} jobs")
    is_reached = peak < GOAL_MEGABYTES and len(sizes) == _LINES
    print(f"peak {peak:.1f} MB, goal under {GOAL_MEGABYTES}: {'reached' if is_reached else 'NOT reached'}")
    if len(sizes) > 1:
        print(f"from the first to the last line: {sizes[-1] - sizes[0]:+.1f} MB")


if __name__ == "__main__":
    main()
