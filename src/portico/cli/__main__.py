"""``python -m portico.cli``."""

from portico.cli.main import main

main()
