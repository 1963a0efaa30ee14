"""The command line: ``portico run app.py``."""

from portico.cli.main import main

__all__ = ["main"]
