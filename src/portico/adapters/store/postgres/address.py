"""Where a PostgreSQL database is, and how to speak of it without its password."""

import re
from dataclasses import dataclass, field
from typing import Self

from portico.exceptions import ConfigurationError

SCHEMES = frozenset({"postgresql", "postgres", "postgresql+asyncpg"})
_FORM = "postgresql://user:password@host:5432/database"
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
        authority, _, path = rest.partition("/")
        hosts = authority.rpartition("@")[2] or "the default host"
        database = re.split(r"[?#]", path, maxsplit=1)[0] or "the user's own"
        # a question mark may stand where no path is, with a password behind it
        shown = f"PostgreSQL at {re.split(r'[?#]', hosts, maxsplit=1)[0]}, database {database}"
        return cls(f"postgresql://{rest}", shown)


def checked_schema(name: str) -> str:
    """Return the name of a schema if it needs no quotes anywhere.

    Raises:
        ConfigurationError: it would.

    """
    if not _SCHEMA_NAME.fullmatch(name) or name.startswith("pg_"):
        message = f"schema must be a lower-case name of letters, digits and underscores, up to 48 of them, not {name!r}"
        raise ConfigurationError(message)
    return name
