"""What an import costs: the wall time of a new interpreter that only imports, against a bare one.

Run: python benchmarks/import_time.py [--runs N]
"""

import argparse
import subprocess
import sys
import time

CASES = {
    "bare interpreter": "pass",
    "import asyncio": "import asyncio",
    "import portico": "import portico",
    "import portico.ports.job_trigger": "import portico.ports.job_trigger",
    "from portico import compose": "from portico import compose",
}


def seconds_to_run(statement: str) -> float:
    """Wall time of one new interpreter, start to exit."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", statement], check=True)
    return time.perf_counter() - started


def modules_loaded_by(statement: str) -> int:
    """How many modules the statement adds to those of a bare interpreter."""
    script = f"import sys; before = set(sys.modules); {statement}; print(len(set(sys.modules) - before))"
    run = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    return int(run.stdout)


def main() -> None:
    """Print one line per case."""
    parser = argparse.ArgumentParser(description="Measure what importing Portico costs.")
    parser.add_argument("--runs", type=int, default=20, help="interpreters started per case (default: 20)")
    runs = parser.parse_args().runs

    for statement in CASES.values():
        seconds_to_run(statement)  # writes the bytecode, which later starts find
    # one of each in turn, so that a slow moment of the machine falls on all of them
    rounds = [{name: seconds_to_run(statement) for name, statement in CASES.items()} for _ in range(runs)]
    best = {name: min(taken[name] for taken in rounds) for name in CASES}

    bare = best["bare interpreter"]
    print(f"Python {sys.version.split()[0]}, best of {runs}")
    print(f"{'':34}{'ms':>8}{'ratio':>8}{'modules':>9}")
    for name, seconds in best.items():
        modules = modules_loaded_by(CASES[name])
        print(f"{name:34}{seconds * 1000:8.1f}{seconds / bare:8.2f}{modules:9}")


if __name__ == "__main__":
    main()
