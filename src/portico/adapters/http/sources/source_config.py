"""How one source is configured."""

import inspect
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, get_args

from portico.adapters.http.clients import Network, parse_networks
from portico.adapters.http.sources.answers import Answer
from portico.adapters.http.sources.content import BodyFormat
from portico.adapters.http.sources.delivery import Delivery, Locator, parse_locator
from portico.adapters.http.sources.job_mapping import DeliveryPayload, JobMapping
from portico.adapters.http.sources.providers import PROVIDERS, Provider
from portico.adapters.http.sources.public_url import is_whole_url
from portico.adapters.webhook_signature.generic import HmacSignature
from portico.adapters.webhook_signature.scheme import MAX_TOLERANCE_SECONDS, SignatureScheme
from portico.adapters.webhook_signature.secrets import DEFAULT_MINIMUM_SECRET_BYTES, Keyring, Secret, SecretSource
from portico.adapters.webhook_signature.unverified import Unverified
from portico.exceptions import ConfigurationError
from portico.runtime.intake.names import QUEUE_NAME
from portico.runtime.intake.priority import HIGHEST_PRIORITY, LOWEST_PRIORITY
from portico.runtime.quotas import Quota

ReplayGuard = Literal["off", "log", "drop"]
SentFormat = Literal["json", "form", "text"]
OnUnmatched = Literal["ignore", "reject"]
FailedStatus = Literal[500, 503]
DisabledStatus = Literal[404, 410]
DeliveryFilter = Callable[[Delivery], bool]

_NAME = re.compile(r"[a-z0-9-]{1,64}")
_MEDIA_TYPE = re.compile(r"[a-z]+/[a-z0-9][a-z0-9.+_-]*")
_CHOICES = {
    "replay_guard": ReplayGuard,
    "body_format": SentFormat,
    "on_unmatched": OnUnmatched,
    "enqueue_error_status": FailedStatus,
    "disabled_status": DisabledStatus,
}


@dataclass(frozen=True, kw_only=True, eq=False)
class WebhookSource:
    """Somebody who sends webhooks to ``POST {prefix}/sources/{name}``.

    Args:
        name: part of the path and of the jobs' keys: 1 to 64 lower-case letters, digits and dashes.
        provider: ``"github"``, ``"stripe"``, ...; ``"hmac"`` is any other, described by `signature`.
        secrets: texts, `Secret`s, or callables (coroutine functions too) that return one or several and are called for
            each delivery; all of them count, so that they can be rotated. None only with `unsafe_no_verification`.
        job_type: the job of every event that `events` does not name.
        events: from the provider's name of an event to a job type or a `JobMapping`; other events are ignored.
        on_unmatched: whether an event that has no job is answered with 200, or refused with 400 and kept; what the
            provider sends to try the connection is answered with 200 in any case.
        filter: returns whether a delivery is of interest; one that is not is answered with 200 and becomes no job.
        payload: makes the payload; by default ``{"event": ..., "delivery_id": ..., "data": ...}``.
        queue_name: the queue of its jobs.
        priority: of its jobs.
        public_url: the full URL under which the provider calls this source, without the query, which is taken from the
            request; needed where the provider signs it.
        dedup: where a delivery's identity is, instead of where the provider has it: ``"header:NAME"``,
            ``"body:path.to.member"``, or ``"body"`` for its hash; deliveries of one identity are one job.
        signature: how the sender signs, for ``"hmac"``; also for ``"cloudevents"``, which else send a bearer token.
        event: where the sender names the event, written as `dedup`; for ``"hmac"``.
        body_format: ``"json"``, ``"form"`` or ``"text"``, where it is not what the provider sends usually.
        content_types: what the sender may call its bodies, where that is not what they are: ``["text/plain"]``.
        tolerance_seconds: how old or new a signed time may be, 1 to 900; 300 where the provider signs one.
        minimum_secret_bytes: shorter secrets are refused.
        max_body_bytes: larger bodies are answered with 413; by default the provider's limit, else the trigger's.
        allowed_ips: addresses and networks that may deliver; empty lets all. `trusted_proxies` are looked through.
        rate_limit: a quota for deliveries that become jobs, such as ``"100/minute"``, beside those of their job types.
        response: makes the answer from what became of a delivery (`Settled`), where the provider wants another one.
        enqueue_error_status: 500 or 503, which some providers take better; for deliveries whose job was not created.
        replay_guard: what happens to a body that comes again under another id, where the id is not signed: ``"log"``
            says so, ``"drop"`` makes one job of equal bodies, ``"off"`` does nothing.
        topics: what a WebSub source subscribes to; the hub's question for any other is answered with 404.
        abuse_protection: names of senders that may ask with OPTIONS whether they may deliver CloudEvents, as
            ``"eventgrid.azure.net"``, or ``"*"`` for all; without, nobody is answered.
        unsafe_no_verification: True believes everybody who calls, and warns at each start.
        batch_limit: how many CloudEvents may come at once; 0 refuses batches.
        enabled: False answers as if there were no such source.
        disabled_status: 410 instead tells the senders of a source that is not enabled never to come again.

    Raises:
        ConfigurationError: names the source and the setting, never a secret.

    """

    name: str
    provider: str
    secrets: Sequence[SecretSource] = field(default=(), repr=False)
    job_type: str | None = None
    events: Mapping[str, str | JobMapping] = field(default_factory=dict)
    on_unmatched: OnUnmatched = "ignore"
    filter: DeliveryFilter | None = None
    payload: DeliveryPayload | None = None
    queue_name: str = "default"
    priority: int = 0
    public_url: str | None = None
    dedup: str | None = None
    signature: HmacSignature | None = None
    event: str | None = None
    body_format: SentFormat | None = None
    content_types: Collection[str] = ()
    tolerance_seconds: int | None = None
    minimum_secret_bytes: int = DEFAULT_MINIMUM_SECRET_BYTES
    max_body_bytes: int | None = None
    allowed_ips: Collection[str] = ()
    rate_limit: str | None = None
    response: Answer | None = None
    enqueue_error_status: FailedStatus = 500
    replay_guard: ReplayGuard = "log"
    topics: Collection[str] = ()
    batch_limit: int = 0
    abuse_protection: Collection[str] = ()
    unsafe_no_verification: bool = False
    enabled: bool = True
    disabled_status: DisabledStatus = 404

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ConfigurationError(
                f"a source's name must be 1 to 64 lower-case letters, digits and dashes, not {self.name!r}"
            )
        if isinstance(self.secrets, str | Secret) or not isinstance(self.secrets, Sequence):
            raise self._refused("secrets must be a list")
        hidden = tuple(Secret(secret) if isinstance(secret, str) else secret for secret in self.secrets)
        object.__setattr__(self, "secrets", hidden)
        self._check_choices()
        self._check_numbers()
        self._check_jobs()
        self._check_url()
        # what is made of the settings refuses what cannot be made
        _ = self.keyring, self.event_locator, self.identity_locator, self.networks, self.quota

    @cached_property
    def described_provider(self) -> Provider:
        """What is known of the provider."""
        if self.provider not in PROVIDERS:
            raise self._refused(f"provider must be one of {', '.join(PROVIDERS)}, not {self.provider!r}")
        return PROVIDERS[self.provider]

    @cached_property
    def scheme(self) -> SignatureScheme:
        """How the deliveries are signed."""
        if self.signature is not None and self.provider not in {"hmac", "cloudevents"}:
            raise self._refused(f"signature is not for the provider {self.provider!r}, whose own is known")
        if self.unsafe_no_verification:
            return self._unverified()
        scheme = self.described_provider.scheme if self.signature is None else self.signature.scheme()
        if scheme is None:
            raise self._refused("signature=HmacSignature(...) says how the sender signs")
        if self.tolerance_seconds is None:
            return scheme
        try:
            return scheme.with_tolerance(self.tolerance_seconds)
        except ConfigurationError as error:
            raise self._refused(str(error)) from None

    @cached_property
    def keyring(self) -> Keyring:
        """The keys that may have signed."""
        return Keyring(
            self.scheme,
            self.secrets,
            owner=f"the webhook source '{self.name}'",
            minimum_bytes=self.minimum_secret_bytes,
        )

    @cached_property
    def event_locator(self) -> Locator | None:
        """Where the event is named."""
        if self.event is None:
            return self.described_provider.event
        return parse_locator(self.event, f"event of the source '{self.name}'")

    @cached_property
    def identity_locator(self) -> Locator | None:
        """Where a delivery is identified."""
        if self.dedup is not None:
            return parse_locator(self.dedup, f"dedup of the source '{self.name}'")
        if self.replay_guard == "drop" and not self.described_provider.signs_delivery_id:
            return parse_locator("body", "replay_guard")
        return self.described_provider.delivery_id

    @property
    def sent_format(self) -> BodyFormat:
        """What the body is."""
        return self.described_provider.body_format if self.body_format is None else BodyFormat(self.body_format)

    @cached_property
    def networks(self) -> Sequence[Network]:
        """Where deliveries may come from; empty is anywhere."""
        return parse_networks(self.allowed_ips, f"allowed_ips of the source '{self.name}'")

    @cached_property
    def quota(self) -> Quota | None:
        """How many deliveries may become jobs."""
        setting = f"rate_limit of the source '{self.name}'"
        return None if self.rate_limit is None else Quota.parse(self.rate_limit, setting)

    def expects(self, event: str | None) -> bool:
        """Tell whether an event that has no job may come all the same."""
        return self.on_unmatched == "ignore" or event in self.described_provider.ignored_events

    @cached_property
    def senders(self) -> frozenset[str]:
        """Who may deliver, in lower case."""
        return frozenset(sender.lower() for sender in self.abuse_protection)

    @cached_property
    def mappings(self) -> Mapping[str, JobMapping]:
        """The jobs by event."""
        return {event: JobMapping(job_type=job) if isinstance(job, str) else job for event, job in self.events.items()}

    @cached_property
    def default_mapping(self) -> JobMapping | None:
        """The job of an event that is not named."""
        return None if self.job_type is None else JobMapping(job_type=self.job_type)

    @property
    def all_mappings(self) -> Sequence[JobMapping]:
        """Every job that a delivery can become."""
        default = [] if self.default_mapping is None else [self.default_mapping]
        return [*self.mappings.values(), *default]

    def _unverified(self) -> SignatureScheme:
        if self.signature is not None or self.tolerance_seconds is not None:
            raise self._refused("unsafe_no_verification verifies nothing: leave signature and tolerance_seconds out")
        return Unverified()

    def _check_choices(self) -> None:
        for name, choices in _CHOICES.items():
            value = getattr(self, name)
            if value is not None and value not in get_args(choices):
                allowed = ", ".join(map(str, get_args(choices)))
                raise self._refused(f"{name} must be one of {allowed}, not {value!r}")
        self._check_content_types()
        if self.described_provider.has_topics is (not self.topics) or isinstance(self.topics, str):
            raise self._refused("topics are a list of what a WebSub source subscribes to, and for no other provider")
        if isinstance(self.abuse_protection, str) or (
            self.abuse_protection and not self.described_provider.has_senders
        ):
            raise self._refused("abuse_protection is a list of senders' names, and for CloudEvents alone")

    def _check_content_types(self) -> None:
        if isinstance(self.content_types, str) or not all(map(_MEDIA_TYPE.fullmatch, self.content_types)):
            raise self._refused(f"content_types are a list such as ['text/plain'], not {self.content_types!r}")
        if self.content_types and self.described_provider.has_senders:
            raise self._refused("content_types are not for CloudEvents, whose type says how to read them")

    def _check_numbers(self) -> None:
        limits = {
            "priority": (LOWEST_PRIORITY, HIGHEST_PRIORITY),
            "tolerance_seconds": (1, MAX_TOLERANCE_SECONDS),
            "minimum_secret_bytes": (1, 4_096),
            "max_body_bytes": (1, 2**40),
            "batch_limit": (0, 10_000),
        }
        for name, (lowest, highest) in limits.items():
            value = getattr(self, name)
            is_integer = isinstance(value, int) and not isinstance(value, bool)
            if value is not None and not (is_integer and lowest <= value <= highest):
                raise self._refused(f"{name} must be an integer from {lowest} to {highest}, not {value!r}")

    def _check_jobs(self) -> None:
        if self.job_type is None and not self.events:
            raise self._refused("job_type (for every event) or events (from event to job) must say what to create")
        if self.on_unmatched == "reject" and self.job_type is not None:
            raise self._refused("on_unmatched='reject' is for events without a job, and job_type takes them all")
        if self.events and self.event_locator is None:
            raise self._refused("events needs event='header:NAME' or 'body:path', which says where they are named")
        if wrong := [job for job in self.events.values() if not isinstance(job, str | JobMapping)]:
            raise self._refused(f"events are from a name to a job type or a JobMapping, not {wrong[0]!r:.100}")
        functions = (self.filter, self.payload, self.response, *(mapping.payload for mapping in self.all_mappings))
        if any(inspect.iscoroutinefunction(function) for function in functions):
            # what it returned would be true, and let everything pass
            raise self._refused("filter, payload and response must be functions, not coroutine functions")
        for queue_name in (self.queue_name, *(mapping.queue_name for mapping in self.all_mappings)):
            if queue_name is not None and not re.fullmatch(QUEUE_NAME, queue_name):
                raise self._refused(f"queue_name must be letters, digits and '_.:-', not {queue_name!r}")

    def _check_url(self) -> None:
        if self.public_url is None and self.scheme.covers_url:
            raise self._refused("public_url is needed: this provider signs the URL that it calls")
        if self.public_url is not None and not is_whole_url(self.public_url):
            raise self._refused(
                f"public_url must be the whole URL without a query, as 'https://example.com/webhooks/sources/{self.name}'"
            )

    def _refused(self, message: str) -> ConfigurationError:
        return ConfigurationError(f"the webhook source '{self.name}': {message}")
