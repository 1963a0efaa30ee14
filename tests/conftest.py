"""What every test may use."""

pytest_plugins = [
    "pytester",
    "tests.servers",
    "tests.schemas",
    "tests.postgres_processes",
    "tests.prefixes",
    "tests.models",
    "tests.silence",
]
