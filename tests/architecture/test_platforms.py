"""Without POSIX modules and signals, as on Windows, what cannot work says so when it is used, not when imported."""

import subprocess
import sys

# the first round loads what others wrote, as it is here
PROGRAM = """
import importlib, pkgutil, signal, sys
import portico

def import_all():
    for module in pkgutil.walk_packages(portico.__path__, "portico."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)

import_all()
for name in [name for name in sys.modules if name.startswith("portico.")]:
    del sys.modules[name]
for name in ("fcntl", "grp", "pwd", "resource", "termios"):
    sys.modules[name] = None
for name in ("SIGHUP", "SIGKILL", "SIGQUIT", "SIGUSR1", "SIGUSR2"):
    delattr(signal, name)
sys.platform = "win32"
import_all()
"""


def test_every_module_can_be_imported_where_posix_is_missing() -> None:
    ended = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60, check=False)

    assert ended.returncode == 0, ended.stderr
