"""Ours beside the peers that are installed, in turn, in one run: ``python -m benchmarks.queues [--only sqlite]``."""

import argparse
import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from statistics import median

import psutil

from benchmarks.queues import calibration
from benchmarks.queues.measuring import Record, measure
from benchmarks.queues.roster import MATCHES, MEMORY_DRAIN_GOAL, Contender, Match
from benchmarks.queues.stores import STORES, Store, StoreMissingError
from benchmarks.queues.surroundings import installed, loop_name
from benchmarks.queues.tables import print_match

_MEMORY = "memory"
_ROOT = Path(__file__).parents[2]


def main() -> None:
    """Measure store after store."""
    arguments = _arguments()
    _print_machine()
    for name in arguments.only:
        if name == _MEMORY:
            _run_memory(arguments.repeats)
        else:
            _run_match(MATCHES[name], arguments.repeats)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.queues", description=__doc__)
    names = [_MEMORY, *MATCHES]
    parser.add_argument("--repeats", type=int, default=3, help="how often each is measured, in turn (default: 3)")
    parser.add_argument("--only", type=_names, default=names, help=f"stores, with commas: {', '.join(names)}")
    return parser.parse_args()


def _names(text: str) -> list[str]:
    known = [_MEMORY, *MATCHES]
    names = [name for name in text.split(",") if name]
    if unknown := [name for name in names if name not in known]:
        raise argparse.ArgumentTypeError(f"{unknown[0]!r} is none of {', '.join(known)}")
    return names or known


def _print_machine() -> None:
    load = psutil.getloadavg()[0]
    print(
        f"Python {platform.python_version()}, {os.cpu_count()} CPUs, load {load:.1f} before the start; "
        f"asyncio contenders on {loop_name()}; calibration loop {calibration.milliseconds():.0f} ms"
    )
    print("Medians (lowest-highest). Drain: first handler start to last, worker started on a full queue.")


def _run_memory(repeats: int) -> None:
    print("\nMemory: producer and worker in one process, nothing survives it")
    command = [sys.executable, "-m", "benchmarks.queues.memory_drain"]
    runs = []
    for _ in range(repeats):
        run = subprocess.run(command, cwd=_ROOT, check=True, stdout=subprocess.PIPE, text=True)
        runs.append(json.loads(run.stdout))
    drains = [run["drain"] for run in runs]
    bulk, unfinished = median(run["bulk"] for run in runs), sum(run["unfinished"] for run in runs)
    verdict = "reached" if median(drains) >= MEMORY_DRAIN_GOAL else "NOT reached"
    print(f"  drain {median(drains):,.0f} jobs/s ({min(drains):,.0f}-{max(drains):,.0f})")
    print(f"  goal {MEMORY_DRAIN_GOAL:,}: {verdict}; bulk {bulk:,.0f}/s; {unfinished:.0f} jobs unfinished")


def _run_match(match: Match, repeats: int) -> None:
    store = STORES[match.store]()
    try:
        print(f"\n{store.description()}")
    except StoreMissingError as missing:
        print(f"\n{match.title}: skipped, {missing}")
        return
    contenders = [contender for contender in match.contenders if _is_here(contender)]
    records = [_measure(contender, store, repeat) for repeat in range(repeats) for contender in contenders]
    print_match(match, records)


def _is_here(contender: Contender) -> bool:
    version = installed(contender.distribution)
    where = f"{contender.distribution} {version}" if version else "skipped, not installed"
    print(f"  {contender.name}: {where}")
    return version is not None


def _measure(contender: Contender, store: Store, repeat: int) -> Record:
    print(f"  repeat {repeat + 1}: {contender.name} ...", file=sys.stderr, flush=True)
    return measure(contender, store, repeat)


if __name__ == "__main__":
    main()
