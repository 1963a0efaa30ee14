"""Where a PostgreSQL database is, and how to speak of it without its password."""

import re
from dataclasses import dataclass, field
from typing import Self

from portico.exceptions import ConfigurationError

SCHEMES = frozenset({"postgresql", "postgres", "postgresql+asyncpg"})
_FORM = "postgresql://user:password@host:5432/database"
_HOST = r"(\[[0-9a-fA-F:]+\]|[\w.-]*)(:\d+)?"
_HOSTS = re.compile(f"{_HOST}(,{_HOST})*")
_SCHEMA_NAME = re.compile(r"[a-z_][a-z0-9_]{0,47}")


@dataclass(frozen=True)
class Address:
    """A URL as the driver takes it, and the part of it that may be shown."""

    url: str = field(repr=False)
    shown: str

    @classmethod
    def parse(cls, url: str) -> Self:
        """Check what can be checked without connecting.

        Raises:
            ConfigurationError: it is no PostgreSQL URL; nothing of it is repeated but its scheme.

        """
        scheme, separator, rest = url.partition("://")
        if not separator or scheme not in SCHEMES:
            message = f"a PostgreSQL URL looks like {_FORM}"
            raise ConfigurationError(message)
        return cls(f"postgresql://{rest}", f"PostgreSQL at {_place(rest)}")


def _place(rest: str) -> str:
    """Return host and database; whatever may belong to a password that is not percent-encoded is left out."""
    before_options, _, options = rest.partition("?")
    hosts, _, database = before_options.rpartition("@")[2].partition("#")[0].partition("/")
    if ("@" in options and "@" not in before_options) or not _HOSTS.fullmatch(hosts):
        return "the host in the URL"
    return f"{hosts or 'the default host'}, database {database or 'of the user'}"


def checked_schema(name: str) -> str:
    """Return the name of a schema if it needs no quotes anywhere.

    Raises:
        ConfigurationError: it would.

    """
    if not _SCHEMA_NAME.fullmatch(name) or name.startswith("pg_"):
        message = f"schema must be a lower-case name of letters, digits and underscores, up to 48 of them, not {name!r}"
        raise ConfigurationError(message)
    return name
