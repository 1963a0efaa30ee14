"""What is asked of every request before its body is read; nothing of it is stored."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from urllib.parse import urlsplit

from fastapi import Request

from portico.adapters.http.clients import Clients, Network
from portico.adapters.http.head import Head
from portico.adapters.http.problems import Refusal
from portico.adapters.http.rate_fields import refusal_fields, retry_fields
from portico.adapters.http.webhook_config import WebhookConfig
from portico.exceptions import DatabaseError
from portico.ports.rate_limiter import RateLimiter
from portico.runtime.between import Between
from portico.runtime.quotas import Quota

_ACCEPT = {"Accept-Post": "application/json"}
_OVERLOADED_RETRY_SECONDS = 1
_LIMITER_RETRY_SECONDS = 5


class Gate:
    """Hosts, origins, clients, and how many requests there are at once.

    Args:
        config: the limits.
        limiter: counts what clients ask for.
        client_key: names what is counted for a client.

    """

    def __init__(self, config: WebhookConfig, limiter: RateLimiter, client_key: Callable[[str], str]) -> None:
        self._config = config
        self._limiter = limiter
        self._client_key = client_key
        self._hosts = frozenset(host.lower() for host in config.allowed_hosts)
        self._origins = frozenset(origin.lower() for origin in config.allowed_origins)
        self._clients = Clients(config.trusted_proxies, config.ipv6_prefix)
        quota = config.client_rate_limit
        self._client_quota = None if quota is None else Quota.parse(quota, "client_rate_limit")
        self._under_way = 0
        self._slots = Between(self._take_slot, self._free_slot)

    def head_of(self, request: Request) -> Head:
        """Return the headers, if there are not too many."""
        return Head(
            request.scope["headers"], max_bytes=self._config.max_header_bytes, max_fields=self._config.max_headers
        )

    async def check(self, request: Request, head: Head) -> None:
        """Refuse what has no business here.

        Raises:
            Refusal: 400 for the host, 403 for the origin, 415 for a browser that does not say what it sends, 429.

        """
        if self._hosts and _host_name(head.get(b"host")) not in self._hosts:
            raise Refusal(400, "Host is not allowed", code="host_not_allowed")
        if b"origin" in head:
            self._check_origin(head)
        if self._client_quota is not None:
            await self.take("client", self._client_key(self._clients.key_of(request)), self._client_quota)

    def require_address(self, request: Request, networks: Sequence[Network]) -> None:
        """Let only clients of these networks in, where there are any.

        Raises:
            Refusal: 403.

        """
        if networks and not self._clients.is_in(request, networks):
            raise Refusal(403, "Address is not allowed", code="ip_not_allowed")

    async def take(self, policy: str, key: str, quota: Quota) -> None:
        """Take one of the quota that is counted under `key`; a caller that is refused is told of `policy`.

        Raises:
            Refusal: 429, there is none left; 503, nobody can count and that was chosen.

        """
        try:
            decision = await self._limiter.acquire(key, quota.limit, quota.window_seconds)
        except DatabaseError as error:
            raise limiter_unavailable() from error
        if not decision.allowed:
            is_shown = self._config.rate_limit_headers
            headers = refusal_fields(policy, quota, decision) if is_shown else retry_fields(decision)
            members = {"violated-policies": [policy]}
            raise Refusal(429, "Too many requests", code="rate_limited", headers=headers, members=members)

    def slot(self) -> AbstractContextManager[None]:
        """Hold one of the places for requests that are read and answered.

        Raises:
            Refusal: 503, there is none.

        """
        return self._slots

    def _take_slot(self) -> None:
        if self._under_way >= self._config.max_concurrency:
            headers = {"Retry-After": str(_OVERLOADED_RETRY_SECONDS)}
            raise Refusal(503, "Too many requests at once", code="overloaded", headers=headers)
        self._under_way += 1

    def _free_slot(self) -> None:
        self._under_way -= 1

    def _check_origin(self, head: Head) -> None:
        origin = (head.get(b"origin") or "").lower()
        if b"content-type" not in head:
            raise Refusal(415, "Content-Type must be application/json", code="unsupported_media_type", headers=_ACCEPT)
        is_same = not head.is_repeated(b"origin") and _authority(origin) == (head.get(b"host") or "").lower()
        if not is_same and origin not in self._origins and "*" not in self._origins:
            raise Refusal(403, "Origin is not allowed", code="origin_not_allowed")


def limiter_unavailable() -> Refusal:
    """Return the answer while nobody can count, where that was chosen."""
    headers = {"Retry-After": str(_LIMITER_RETRY_SECONDS)}
    return Refusal(503, "Requests cannot be counted now", code="rate_limiter_unavailable", headers=headers)


def _host_name(host: str | None) -> str:
    name = (host or "").lower()
    return name if name.endswith("]") else name.rpartition(":")[0] or name


def _authority(origin: str) -> str | None:
    try:
        return urlsplit(origin).netloc or None
    except ValueError:
        return None
