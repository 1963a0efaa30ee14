"""Secrets: where they come from, what they must be, and that nothing shows them."""

import inspect
import os
from collections.abc import Awaitable, Callable, Sequence
from typing import Self

from typing_extensions import override

from portico.adapters.webhook_signature.scheme import Key, SignatureScheme
from portico.exceptions import ConfigurationError, MissingExtraError, PorticoError
from portico.utils.logging import get_logger

DEFAULT_MINIMUM_SECRET_BYTES = 16

logger = get_logger(__name__)


class SecretUnavailableError(PorticoError):
    """A callable gave no usable secret: nothing can be verified now, and nothing is let in."""


class Secret:
    """A text that no repr, log or copy of a configuration shows."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    @classmethod
    def from_env(cls, variable: str) -> Self:
        """Return what an environment variable holds now.

        Raises:
            ConfigurationError: it is not set.

        """
        if variable not in os.environ:
            raise ConfigurationError(f"the environment variable {variable} holds a secret and is not set")
        return cls(os.environ[variable])

    def reveal(self) -> str:
        """Return the text."""
        return self._text

    @override
    def __repr__(self) -> str:
        return "Secret('***')"


SecretText = str | Secret
SecretCallable = Callable[[], SecretText | Sequence[SecretText] | Awaitable[SecretText | Sequence[SecretText]]]
SecretSource = SecretText | SecretCallable


class Keyring:
    """The keys that may have signed: those of fixed secrets are made once, those of callables for each request.

    Args:
        scheme: what the secrets are for.
        sources: a text, a `Secret`, or a callable (also a coroutine function) that returns one or several.
        owner: named in errors.
        minimum_bytes: shorter secrets are refused.

    Raises:
        ConfigurationError: there is no secret where one is needed, or one where none is, or one is blank, too short,
            framed by white space or malformed.

    """

    def __init__(
        self,
        scheme: SignatureScheme,
        sources: Sequence[SecretSource],
        *,
        owner: str,
        minimum_bytes: int = DEFAULT_MINIMUM_SECRET_BYTES,
    ) -> None:
        if scheme.needs_secret and not sources:
            raise ConfigurationError(f"{owner} needs at least one secret")
        if sources and not scheme.needs_secret:
            raise ConfigurationError(f"{owner} has secrets and verifies nothing: leave one of them out")
        self._scheme = scheme
        self._owner = owner
        self._minimum_bytes = minimum_bytes
        self._fixed = [self._key(source) for source in sources if isinstance(source, str | Secret)]
        self._callables = [source for source in sources if not isinstance(source, str | Secret)]
        for source in self._callables:
            if not callable(source):
                raise ConfigurationError(f"{owner}: a secret is a text, a Secret or a callable, not {type(source)!r}")

    async def keys(self) -> Sequence[Key]:
        """Return all keys.

        Raises:
            SecretUnavailableError: a callable failed, or gave something that would have been refused as a fixed secret.

        """
        if not self._callables:
            return self._fixed
        keys = list(self._fixed)
        for source in self._callables:
            keys += await self._called(source)
        return keys

    async def _called(self, source: SecretCallable) -> list[Key]:
        try:
            given = source()
            if inspect.isawaitable(given):
                given = await given
            texts = [given] if isinstance(given, str | Secret) else list(given)
            keys = [self._key(text) for text in texts]
        except Exception as error:  # noqa: BLE001 - whatever a vault's client raises, nothing is let in
            raise self._unavailable(type(error).__name__) from None
        if not keys:
            raise self._unavailable("no secret")
        return keys

    def _unavailable(self, reason: str) -> SecretUnavailableError:
        # an error by its class alone: the message of a vault's client may hold anything
        logger.error("webhook_secret_unavailable", owner=self._owner, error=reason)
        return SecretUnavailableError(f"a secret of {self._owner} is not available")

    def _key(self, secret: SecretText) -> Key:
        text = secret.reveal() if isinstance(secret, Secret) else secret
        require_sound_secret(text, owner=self._owner, minimum_bytes=self._minimum_bytes)
        try:
            return self._scheme.key(text)
        except MissingExtraError:
            raise
        except ConfigurationError as error:
            raise ConfigurationError(f"{self._owner}: {error}") from None


def require_sound_secret(text: str, *, owner: str, minimum_bytes: int = DEFAULT_MINIMUM_SECRET_BYTES) -> None:
    """Refuse a secret that anybody could guess, or that was copied with something around it.

    Raises:
        ConfigurationError: names `owner` and never the secret.

    """
    stripped = text.strip()
    if not stripped:
        raise ConfigurationError(f"a secret of {owner} is blank")
    if len(stripped) < len(text) or not text.isprintable():
        raise ConfigurationError(f"a secret of {owner} has white space around it, or characters that do not print")
    size = len(text.encode())
    if size < minimum_bytes:
        raise ConfigurationError(f"a secret of {owner} has {size} bytes; {minimum_bytes} are the least")
