"""What every test may use."""

pytest_plugins = ["pytester", "tests.servers", "tests.schemas", "tests.prefixes"]
