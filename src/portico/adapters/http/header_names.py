"""What header fields may be called, and which names say that a secret is in them."""

import re

HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""A token, as RFC 9110 (5.1) has it."""
_SECRET = re.compile(r"auth|cookie|signature|token|secret|passw|hmac|(?<!idempotency-)key")


def names_a_secret(name: str) -> bool:
    """Tell whether a field of this name, in any case, holds something that nobody else may see."""
    return _SECRET.search(name.lower()) is not None
