"""The URL under which a provider calls."""

from urllib.parse import urlsplit


def is_whole_url(text: str) -> bool:
    """Tell whether it is an HTTP URL with a host, and without a query or a fragment."""
    try:
        parts = urlsplit(text)
        has_place = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return has_place and "?" not in text and "#" not in text
