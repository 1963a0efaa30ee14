"""How webhooks are configured."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import Literal, get_args

from portico.adapters.http.authentication import Authenticate, Authenticator
from portico.adapters.http.compression import CONTENT_ENCODINGS
from portico.adapters.http.header_names import HEADER_NAME, names_a_secret
from portico.adapters.http.sources.source_config import WebhookSource
from portico.exceptions import ConfigurationError
from portico.runtime.guarded_rate_limiter import OnLimiterError
from portico.runtime.intake.names import QUEUE_NAME
from portico.runtime.intake.priority import HIGHEST_PRIORITY, LOWEST_PRIORITY
from portico.runtime.intake.strict_json import MAX_DEPTH, DuplicateKeys, IntegerRange, NulCharacter, StrictJson
from portico.runtime.json_values import MAX_DEPTH as MAX_PAYLOAD_DEPTH
from portico.runtime.setting_checks import require_count

_PREFIX = re.compile(r"(/[^/{}?#\s]+)*")
_POSITIVE = (
    "max_body_bytes",
    "body_timeout_seconds",
    "max_header_bytes",
    "max_headers",
    "max_concurrency",
    "enqueue_timeout_seconds",
)
_LISTS = (
    "allowed_job_types",
    "allowed_queues",
    "allowed_hosts",
    "allowed_origins",
    "trusted_proxies",
    "accept_content_encodings",
    "redact_headers",
)
_SWITCHES = ("rate_limit_headers", "health_routes", "include_in_schema", "expose_job_types", "trust_traceparent")

Idempotency = Literal["optional", "required", "off"]
DeliveryLogging = Literal["metadata", "full", "off"]
ExtraFields = Literal["forbid", "ignore"]


@dataclass(frozen=True)
class WebhookConfig:
    """Where a `WebhookTrigger` listens and what it lets in.

    Args:
        prefix: the path before ``/jobs``; begins with a slash and does not end with one, or is empty.
        allowed_job_types: the types that may be asked for; None or empty allows every type, and warns at start.
        allowed_queues: the queues that may be asked for; None allows every queue.
        priority_range: the lowest and the highest priority that may be asked for; 0, the usual one, is among them.
        extra_fields: whether members of a request that mean nothing are refused or overlooked.
        auth: who may ask for jobs: `Bearer`, `APIKey`, `Basic`, `StandardWebhooks`, or an async function from the
            request to the caller's name, or None for nobody it knows; without, everybody may, and the start warns.
        idempotency: whether an Idempotency-Key may or must be sent, or is not looked at.
        rate_limits: from job type to a quota such as ``"100/minute"``, over `max_requests_per_minute`.
        default_rate_limit: a quota for each type that `rate_limits` does not name, and under `max_requests_per_minute`.
        rate_limit_headers: whether answers say what is allowed and left; a 429 says when to come again all the same.
        rate_limit_on_error: what happens while the limiter's store fails: this process counts alone, everything passes,
            or everything is answered with 503.
        client_rate_limit: a quota for each client address, whatever it asks for.
        trusted_proxies: addresses and networks whose X-Forwarded-For is believed.
        ipv6_prefix: so many bits of an IPv6 address are one client.
        max_body_bytes: larger bodies are answered with 413.
        accept_content_encodings: how bodies may be compressed, ``"gzip"`` or ``"deflate"``; `max_body_bytes` holds
            before and after.
        max_json_depth: bodies with more levels are refused; at most 98.
        integer_range: whether integers beyond 64 bits are refused, or those of any size are taken.
        duplicate_keys: whether a key that is in an object twice is refused, or the last counts, which warns at start.
        nul_character: whether texts with the character NUL are refused, or it is replaced by U+FFFD.
        body_timeout_seconds: bodies that take longer are answered with 408.
        max_header_bytes: larger heads of requests are answered with 431, and so are those with more than `max_headers`.
        max_concurrency: so many requests are read and answered at once; more are answered with 503.
        enqueue_timeout_seconds: a creation that takes longer is answered with 500; it may have happened all the same.
        allowed_hosts: what the Host header may say; empty allows everything.
        allowed_origins: whose pages may send requests from a browser, beside those of the same host.
        delivery_log: what the inbox keeps of a request: what became of it, or its body and headers too, or nothing.
        redact_headers: header fields that the delivery log hides, beside those whose name says that they are secret.
        request_id_header: where callers send the id of a request, and answers have it.
        trust_traceparent: whether the caller's ``traceparent`` is kept in the job's metadata.
        include_in_schema: whether OpenAPI shows the routes.
        expose_job_types: whether OpenAPI names the job types that are allowed, and says what their payloads are.
        health_routes: whether ``{prefix}/health`` and ``{prefix}/health/ready`` tell everybody if webhooks are taken.
        status_auth: who may ask ``{prefix}/jobs/{id}`` how a job is; without, there is no such route.
        admin_auth: who may see and replay ``{prefix}/deliveries``; without, there are no such routes.
        sources: whose webhooks are taken at ``{prefix}/sources/{name}``.

    Raises:
        ConfigurationError: names the field and its value.

    """

    prefix: str = "/webhooks"
    allowed_job_types: Collection[str] | None = None
    _: KW_ONLY
    allowed_queues: Collection[str] | None = None
    priority_range: tuple[int, int] = (LOWEST_PRIORITY, HIGHEST_PRIORITY)
    extra_fields: ExtraFields = "forbid"
    auth: Authenticate | None = None
    idempotency: Idempotency = "optional"
    rate_limits: Mapping[str, str] = field(default_factory=dict)
    default_rate_limit: str | None = None
    rate_limit_headers: bool = True
    rate_limit_on_error: OnLimiterError = "local"
    client_rate_limit: str | None = None
    trusted_proxies: Collection[str] = ()
    ipv6_prefix: int = 64
    max_body_bytes: int = 1_048_576
    accept_content_encodings: Collection[str] = ()
    max_json_depth: int = MAX_DEPTH
    integer_range: IntegerRange = "int64"
    duplicate_keys: DuplicateKeys = "reject"
    nul_character: NulCharacter = "reject"
    body_timeout_seconds: float = 10.0
    max_header_bytes: int = 16_384
    max_headers: int = 100
    max_concurrency: int = 256
    enqueue_timeout_seconds: float = 5.0
    allowed_hosts: Collection[str] = ()
    allowed_origins: Collection[str] = ()
    delivery_log: DeliveryLogging = "metadata"
    redact_headers: Collection[str] = ()
    request_id_header: str = "X-Request-ID"
    trust_traceparent: bool = False
    include_in_schema: bool = True
    expose_job_types: bool = False
    health_routes: bool = True
    status_auth: Authenticate | None = None
    admin_auth: Authenticate | None = None
    sources: Sequence[WebhookSource] = ()

    def __post_init__(self) -> None:
        if not _PREFIX.fullmatch(self.prefix):
            raise ConfigurationError(
                f"prefix must be a path such as '/webhooks', without a slash at its end, not {self.prefix!r}"
            )
        self._require_lists()
        for name in _POSITIVE:
            if not getattr(self, name) > 0:
                raise ConfigurationError(f"{name} must be more than 0, not {getattr(self, name)!r}")
        self._require_choices()
        self._require_priorities()
        # the payload of a source's job has levels around what was sent
        require_count("max_json_depth", self.max_json_depth, MAX_PAYLOAD_DEPTH - 2)
        if not 1 <= self.ipv6_prefix <= 128:  # noqa: PLR2004 - the bits of an address
            raise ConfigurationError(f"ipv6_prefix must be from 1 to 128, not {self.ipv6_prefix!r}")
        self._require_different_sources()
        for name in ("auth", "status_auth", "admin_auth"):
            if not isinstance(auth := getattr(self, name), Authenticator) and not (auth is None or callable(auth)):
                raise ConfigurationError(f"{name} must be Bearer, APIKey, Basic, StandardWebhooks or a function")

    @property
    def strict_json(self) -> StrictJson:
        """How strictly bodies are read."""
        return StrictJson(
            max_depth=self.max_json_depth,
            integer_range=self.integer_range,
            duplicate_keys=self.duplicate_keys,
            nul_character=self.nul_character,
        )

    def _require_lists(self) -> None:
        for name in _LISTS:
            if isinstance(value := getattr(self, name), str):
                raise ConfigurationError(f"{name} must be a list of texts, not {value!r}")
        if unknown := sorted(set(self.accept_content_encodings) - CONTENT_ENCODINGS):
            choices = ", ".join(sorted(CONTENT_ENCODINGS))
            raise ConfigurationError(f"accept_content_encodings must be of {choices}, not {unknown[0]!r}")
        self._require_each("allowed_queues", QUEUE_NAME, "letters, digits and '_.:-'")
        if self.allowed_queues is not None and not self.allowed_queues:
            raise ConfigurationError("allowed_queues must name a queue, or be None for all")
        self._require_each("redact_headers", HEADER_NAME, "names of header fields")
        if not isinstance(self.request_id_header, str) or not HEADER_NAME.fullmatch(self.request_id_header):
            raise ConfigurationError(f"request_id_header must name a header field, not {self.request_id_header!r}")
        if names_a_secret(self.request_id_header):
            raise ConfigurationError(
                f"request_id_header is in answers and logs, and {self.request_id_header!r} holds a secret"
            )

    def _require_each(self, name: str, pattern: str | re.Pattern[str], words: str) -> None:
        for value in getattr(self, name) or ():
            if not isinstance(value, str) or not re.fullmatch(pattern, value):
                raise ConfigurationError(f"{name} must be {words}, not {value!r}")

    def _require_choices(self) -> None:
        choices = {
            "idempotency": Idempotency,
            "rate_limit_on_error": OnLimiterError,
            "delivery_log": DeliveryLogging,
            "extra_fields": ExtraFields,
            "integer_range": IntegerRange,
            "duplicate_keys": DuplicateKeys,
            "nul_character": NulCharacter,
        }
        for name, allowed in choices.items():
            if (value := getattr(self, name)) not in get_args(allowed):
                raise ConfigurationError(f"{name} must be one of {', '.join(get_args(allowed))}, not {value!r}")
        for name in _SWITCHES:
            if not isinstance(value := getattr(self, name), bool):
                raise ConfigurationError(f"{name} must be True or False, not {value!r}")

    def _require_priorities(self) -> None:
        match self.priority_range:
            case (int(lowest), int(highest)) if LOWEST_PRIORITY <= lowest <= 0 <= highest <= HIGHEST_PRIORITY:
                return
            case _:
                raise ConfigurationError(
                    f"priority_range must be two integers from {LOWEST_PRIORITY} to {HIGHEST_PRIORITY} with 0, the"
                    f" usual priority, between them, not {self.priority_range!r}"
                )

    def _require_different_sources(self) -> None:
        names = [source.name for source in self.sources]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ConfigurationError(f"two sources are called '{twice[0]}'")
