"""Recorded deliveries that come again under a new name."""

import hashlib
from collections import OrderedDict

from portico.adapters.http.sources.delivery import Delivery
from portico.adapters.http.sources.source_config import WebhookSource
from portico.utils.logging import get_logger

logger = get_logger(__name__)

_REMEMBERED = 4_096


class ReplayGuard:
    """Notices equal bodies with different ids, of providers that do not sign the id; in this process alone.

    It only says so: two equal bodies may well be two events.
    """

    def __init__(self, source: WebhookSource) -> None:
        self._is_on = source.replay_guard == "log" and not source.described_provider.signs_delivery_id
        self._ids: OrderedDict[bytes, str] = OrderedDict()
        """By the hash of a body its first id, or '' once it was said that there is another."""

    def notice(self, delivery: Delivery, trigger: str) -> None:
        """Remember a delivery, and log one whose body was there before under another id."""
        if not self._is_on or delivery.delivery_id is None:
            return
        body_hash = hashlib.sha256(delivery.body).digest()
        first_id = self._ids.setdefault(body_hash, delivery.delivery_id)
        if first_id and first_id != delivery.delivery_id:
            # once: whoever recorded one delivery could else fill the log
            self._ids[body_hash] = ""
            logger.warning("webhook_body_repeated", trigger=trigger, source=delivery.source)
        if len(self._ids) > _REMEMBERED:
            self._ids.popitem(last=False)
