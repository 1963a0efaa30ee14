"""What a request says that its body is."""

from email.message import Message

from portico.adapters.http.head import Head
from portico.adapters.http.problems import Refusal

_ACCEPT = {"Accept-Post": "application/json"}


def require_json_type(head: Head) -> None:
    """Refuse a body that is JSON and was declared as something else, as a browser's form or text would be.

    A caller that declares nothing passes, unless it is a browser.

    Raises:
        Refusal: 415.

    """
    declared = head.get(b"content-type")
    if declared == "application/json":
        return
    if declared is None:
        if b"origin" in head:
            raise _unsupported("Content-Type must be application/json")
        return
    _require_declared_json(declared)


def _require_declared_json(declared: str) -> None:
    message = Message()
    message["Content-Type"] = declared
    media_type = message.get_content_type()
    if not (
        media_type == "application/json" or (media_type.startswith("application/") and media_type.endswith("+json"))
    ):
        raise _unsupported("Content-Type must be application/json")
    if str(message.get_param("charset", "utf-8")).lower() not in {"utf-8", "utf8", "us-ascii"}:
        raise _unsupported("The charset of JSON is UTF-8")


def _unsupported(message: str) -> Refusal:
    return Refusal(415, message, code="unsupported_media_type", headers=_ACCEPT)
