"""A real `portico run` in a process of its own."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from typing import Any, Self

QUICKSTART = Path(__file__).parents[2] / "examples" / "quickstart"
PATIENCE_SECONDS = 20.0
Entry = dict[str, Any]


def copy_quickstart(folder: Path) -> Path:
    """Return a fresh copy of the quickstart's program, without what an earlier run left beside it."""
    for name in ("inbox", "outbox"):
        (folder / name).mkdir()
    return Path(shutil.copy(QUICKSTART / "app.py", folder / "app.py"))


class Application:
    """Starts ``portico run``, collects what it prints, and ends it; stdout is the banner, stderr JSON lines."""

    def __init__(self, program: Path, *arguments: str) -> None:
        command = [str(Path(sys.executable).parent / "portico"), "run", str(program), "--port", "0", *arguments]
        self.process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            start_new_session=True,
        )
        self.printed: list[str] = []
        self.errors: list[str] = []
        self._readers = [
            self._collect(self.process.stdout, self.printed),
            self._collect(self.process.stderr, self.errors),
        ]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for reader in self._readers:
            reader.join()
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()

    @property
    def banner(self) -> str:
        """What it printed once it served."""
        self.until(lambda: any("Ctrl-C" in line for line in self.printed))
        return "".join(self.printed)

    @property
    def address(self) -> str:
        """Where it serves."""
        found = re.search(r"address +(\S+)", self.banner)
        assert found, self.banner
        return found[1]

    @property
    def curl(self) -> str:
        """The command that the banner invites to try."""
        found = re.search(r"try +(curl .*)", self.banner)
        assert found, self.banner
        return found[1]

    @property
    def log(self) -> list[Entry]:
        """The log events so far."""
        return [json.loads(line) for line in list(self.errors) if line.startswith("{")]

    def entries(self, event: str, **fields: object) -> list[Entry]:
        """Return the log events of that name with these fields."""
        return [entry for entry in self.log if entry["event"] == event and entry.items() >= fields.items()]

    def until_logged(self, event: str, **fields: object) -> Entry:
        """Wait for a log event and return the first."""
        self.until(lambda: bool(self.entries(event, **fields)), f"{event} {fields}")
        return self.entries(event, **fields)[0]

    def until(self, holds: Callable[[], bool], what: str = "it") -> None:
        """Wait until something holds; shows what was printed when it does not come to hold."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not holds():
            if time.monotonic() > deadline or (self.process.poll() is not None and not self._is_read()):
                said = "".join([*self.printed, *self.errors])
                raise AssertionError(f"no {what} within {PATIENCE_SECONDS} s; it said:\n{said}")
            time.sleep(0.02)

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the process."""
        self.process.send_signal(number)

    def end(self, number: signal.Signals) -> int:
        """Send a signal and return the exit code."""
        self.send(number)
        return self.process.wait(PATIENCE_SECONDS)

    def _is_read(self) -> bool:
        return any(reader.is_alive() for reader in self._readers)

    @staticmethod
    def _collect(stream: Any, lines: list[str]) -> Thread:
        def read() -> None:
            for line in stream:
                lines.append(line)  # noqa: PERF402 - line by line: others look on

        reader = Thread(target=read, daemon=True)
        reader.start()
        return reader
