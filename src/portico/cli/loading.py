"""Finding the user's application."""

import importlib
import importlib.util
import sys
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from portico.cli.exits import CommandError, ExitCode
from portico.cli.tracebacks import formatted, users_part
from portico.compose import Jobs
from portico.exceptions import PorticoError


@dataclass(frozen=True)
class Application:
    """What is served, and the composed jobs behind it where they were found."""

    served: Any
    jobs: Jobs | None


def load_application(target: str) -> Application:
    """Import `target` and return what it serves.

    Raises:
        CommandError: there is no such file, module or attribute, or importing it failed.

    """
    source, _, attribute = target.partition(":")
    module = _load_file(Path(source)) if source.endswith(".py") else _load_module(source)
    composed = next(_composed_in(module), None)
    if attribute:
        found = _attribute(module, source, attribute)
        return Application(found, found if isinstance(found, Jobs) else composed)
    for name in ("app", "jobs"):
        if hasattr(module, name):
            return Application(getattr(module, name), composed)
    if composed is not None:
        return Application(composed, composed)
    raise CommandError(
        f"{source} has neither 'app' nor 'jobs'; name what is meant: {source}:NAME", ExitCode.NO_APPLICATION
    )


def _composed_in(module: ModuleType) -> Iterator[Jobs]:
    return (value for value in vars(module).values() if isinstance(value, Jobs))


def _load_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise CommandError(f"there is no file {path}", ExitCode.NO_APPLICATION)
    folder, packages = path.resolve().parent, list[str]()
    while (folder / "__init__.py").is_file():
        folder, packages = folder.parent, [folder.name, *packages]
    # as `python path/to/app.py` does: the modules beside it can be imported
    sys.path.insert(0, str(folder))
    if packages:
        # its relative imports need its full name
        with _explained(str(path)):
            return importlib.import_module(".".join([*packages, path.stem]))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise CommandError(f"{path} is not a Python file", ExitCode.NO_APPLICATION)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    with _explained(str(path)):
        spec.loader.exec_module(module)
    return module


def _load_module(name: str) -> ModuleType:
    if not all(part.isidentifier() for part in name.split(".")):
        raise CommandError(
            f"{name} is neither a Python file nor a module: name one, such as app.py or shop.app",
            ExitCode.NO_APPLICATION,
        )
    sys.path.insert(0, str(Path.cwd()))
    with _explained(name):
        return importlib.import_module(name)


def _attribute(module: ModuleType, source: str, path: str) -> Any:
    found: Any = module
    for name in path.split("."):
        if not hasattr(found, name):
            raise CommandError(f"{source} has no '{path}'", ExitCode.NO_APPLICATION)
        found = getattr(found, name)
    return found


class _explained:  # noqa: N801 - a context manager that reads like one
    """Turn what the user's code raises while it is imported into one message."""

    def __init__(self, source: str) -> None:
        self._source = source

    def __enter__(self) -> None: ...

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        if isinstance(error, PorticoError):
            where = _last_place_outside_portico(error)
            raise CommandError(f"{error}{where}", ExitCode.CONFIGURATION, cause=error) from error
        if isinstance(error, ModuleNotFoundError) and f"{self._source}.".startswith(f"{error.name}."):
            raise CommandError(f"there is no module {self._source}", ExitCode.NO_APPLICATION, cause=error) from error
        if isinstance(error, Exception):
            message = f"{self._source} could not be imported\n{formatted(error, users_part(error))}"
            raise CommandError(message, ExitCode.NO_APPLICATION, cause=error) from error


def _last_place_outside_portico(error: PorticoError) -> str:
    package = str(Path(__file__).resolve().parent.parent)
    frames = traceback.extract_tb(error.__traceback__)
    outside = [frame for frame in frames if package not in frame.filename and Path(frame.filename).is_file()]
    # without the line itself, which may hold a password
    return f"\n  at {outside[-1].filename}:{outside[-1].lineno}" if outside else ""
