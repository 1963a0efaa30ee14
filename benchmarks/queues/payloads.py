"""What a job carries: 120 bytes of JSON."""

import json
from typing import Any

PAYLOAD_BYTES = 120

_FIELDS = {"event": "order.created", "customer": "c-88123", "amount": 1999, "is_paid": True}


def payload(number: int) -> dict[str, Any]:
    """Return the payload of a job, filled up to its size."""
    fields = {"n": number, **_FIELDS, "note": ""}
    return {**fields, "note": "." * (PAYLOAD_BYTES - len(json.dumps(fields)))}
