"""Who asks: a principal, or nobody that is known."""

import base64
import binascii
import hashlib
import hmac
import inspect
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from fastapi import Depends, Request
from typing_extensions import override

from portico.adapters.http.described_security import DescribedSecurity, header_scheme, http_scheme
from portico.adapters.http.problems import Refusal
from portico.adapters.webhook_signature.schemes import STANDARD_WEBHOOKS
from portico.adapters.webhook_signature.secrets import (
    DEFAULT_MINIMUM_SECRET_BYTES,
    Keyring,
    SecretSource,
    SecretUnavailableError,
)
from portico.adapters.webhook_signature.signed_request import HeaderFields, SignedRequest
from portico.exceptions import AuthenticationError, ConfigurationError

Secrets = Sequence[str] | Mapping[str, str]
"""Several are valid at once, for rotation; a mapping is from the caller's name to its secret."""

MINIMUM_SECRET_BYTES = DEFAULT_MINIMUM_SECRET_BYTES
_SECRET_RETRY_SECONDS = 5


class Authenticator(ABC):
    """Knows callers by a secret."""

    challenge: str
    """What a 401 says in WWW-Authenticate."""
    scheme: DescribedSecurity
    """What OpenAPI says."""
    header: str = "Authorization"
    """The field that the secret is in, or what was made with it."""

    @abstractmethod
    async def identify(self, request: Request, now: datetime) -> str | None:
        """Return who asks, or None; ``await request.body()`` is there."""


Authenticate = Authenticator | Callable[[Request], Awaitable[str | None] | str | None]
"""Or a function from a request, whose ``await request.body()`` is there, to the caller's name; None is nobody."""


class Bearer(Authenticator):
    """``Authorization: Bearer <token>``."""

    challenge = 'Bearer realm="webhooks"'
    scheme = http_scheme("bearer")

    def __init__(self, tokens: Secrets) -> None:
        self._tokens = _Known("tokens", tokens)

    @override
    async def identify(self, request: Request, now: datetime) -> str | None:
        token = _credentials(request, "bearer")
        return None if token is None else self._tokens.name_of(token)


class APIKey(Authenticator):
    """``X-API-Key: <key>``, or another header."""

    challenge = 'APIKey realm="webhooks"'

    def __init__(self, keys: Secrets, *, header: str = "X-API-Key") -> None:
        self._keys = _Known("keys", keys)
        self.header = header
        self.scheme = header_scheme(f"apiKey-{header}", header)

    @override
    async def identify(self, request: Request, now: datetime) -> str | None:
        key = _only(request, self.header)
        return None if key is None else self._keys.name_of(key)


class Basic(Authenticator):
    """``Authorization: Basic``, from user name to password; a password's digest is kept, so let it be a long one."""

    challenge = 'Basic realm="webhooks", charset="UTF-8"'
    scheme = http_scheme("basic")

    def __init__(self, users: Mapping[str, str]) -> None:
        if any(":" in user for user in users):
            raise ConfigurationError("users: a user name must not have a colon")
        _require_secrets("users", list(users.values()))
        self._pairs = _Known("users", {user: f"{user}:{password}" for user, password in users.items()})

    @override
    async def identify(self, request: Request, now: datetime) -> str | None:
        encoded = _credentials(request, "basic")
        if encoded is None:
            return None
        try:
            pair = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            return None
        return self._pairs.name_of(pair)


class StandardWebhooks(Authenticator):
    """A signature over id, time and body, as standardwebhooks.com has it; its `webhook-id` is the Idempotency-Key.

    Args:
        secrets: ``whsec_`` and base64, or ``whpk_`` with a public key; texts, `Secret`s or callables.
        name: what the caller is called.

    """

    challenge = 'Signature realm="webhooks"'
    scheme = header_scheme("webhookSignature", STANDARD_WEBHOOKS.signature_header)
    header = STANDARD_WEBHOOKS.signature_header

    def __init__(self, secrets: Sequence[SecretSource], *, name: str = "signed") -> None:
        if isinstance(secrets, str):
            raise ConfigurationError("secrets must be a list, not a text")
        self._keyring = Keyring(STANDARD_WEBHOOKS, secrets, owner="StandardWebhooks")
        self._name = name

    @override
    async def identify(self, request: Request, now: datetime) -> str | None:
        signed = SignedRequest(body=await request.body(), headers=HeaderFields(request.scope["headers"]))
        keys = await self._keyring.keys()
        STANDARD_WEBHOOKS.verify(signed, keys, now)
        return self._name


class _Known:
    """Digests of what callers show; each comparison takes as long as any other."""

    def __init__(self, field: str, secrets: Secrets) -> None:
        values = list(secrets.values()) if isinstance(secrets, Mapping) else list(secrets)
        if isinstance(secrets, str):
            raise ConfigurationError(f"{field} must be a list or a mapping, not a text")
        _require_secrets(field, values)
        digests = [hashlib.sha256(value.encode()).digest() for value in values]
        names = list(secrets) if isinstance(secrets, Mapping) else [_name(digest) for digest in digests]
        self._names = dict(zip(digests, names, strict=True))

    def name_of(self, shown: str | bytes) -> str | None:
        digest = hashlib.sha256(shown if isinstance(shown, bytes) else shown.encode("latin-1")).digest()
        found: str | None = None
        for known, name in self._names.items():
            if hmac.compare_digest(known, digest):
                found = name
        return found


async def authenticate(auth: Authenticate, request: Request, now: datetime) -> str:
    """Return who asks.

    Raises:
        Refusal: 401, the same whatever is wrong; 503 when nobody can tell.

    """
    try:
        answer = auth.identify(request, now) if isinstance(auth, Authenticator) else auth(request)
        principal = await answer if inspect.isawaitable(answer) else answer
    except AuthenticationError:
        principal = None
    except SecretUnavailableError as error:
        headers = {"Retry-After": str(_SECRET_RETRY_SECONDS)}
        message = "Callers cannot be recognised now"
        raise Refusal(503, message, code="secret_unavailable", headers=headers) from error
    if not principal:
        challenge = auth.challenge if isinstance(auth, Authenticator) else 'Bearer realm="webhooks"'
        raise Refusal(401, "Unauthorized", code="unauthorized", headers={"WWW-Authenticate": challenge})
    return str(principal)


def described_security(auth: Authenticate | None) -> list[Any]:
    """Return the dependencies by which OpenAPI shows who is let in; a function's rules are its own."""
    return [Depends(auth.scheme)] if isinstance(auth, Authenticator) else []


def _only(request: Request, header: str) -> str | None:
    # two are one too many: who knows which of them a proxy has looked at
    values = request.headers.getlist(header)
    return values[0].strip() if len(values) == 1 else None


def _credentials(request: Request, scheme: str) -> str | None:
    name, _, credentials = (_only(request, "authorization") or "").partition(" ")
    return credentials.strip() or None if name.lower() == scheme else None


def _name(digest: bytes) -> str:
    # of the digest and not of the secret: this is stored in keys of jobs
    return hashlib.sha256(digest).hexdigest()[:16]


def _require_secrets(field: str, values: Sequence[str]) -> None:
    if not values:
        raise ConfigurationError(f"{field} must not be empty")
    for value in values:
        if not isinstance(value, str) or value != value.strip() or len(value.encode()) < MINIMUM_SECRET_BYTES:
            raise ConfigurationError(
                f"{field} must be texts of at least {MINIMUM_SECRET_BYTES} bytes without blanks around them"
            )
