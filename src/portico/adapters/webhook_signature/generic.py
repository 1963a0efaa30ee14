"""HMAC signatures of any other sender, described by whoever receives them."""

from dataclasses import dataclass
from typing import Literal, get_args

from portico.adapters.webhook_signature.hmac_keys import SharedText
from portico.adapters.webhook_signature.layouts import Encoding, PairList, SingleSignature
from portico.adapters.webhook_signature.scheme import MAX_TOLERANCE_SECONDS
from portico.adapters.webhook_signature.templated import TemplatedSignature, unknown_placeholders
from portico.exceptions import ConfigurationError

HmacEncoding = Literal["hex", "base64"]
HmacAlgorithm = Literal["sha256", "sha384", "sha512", "sha1"]
TimestampUnit = Literal["seconds", "milliseconds"]

_CHOICES = {"encoding": HmacEncoding, "algorithm": HmacAlgorithm, "timestamp_unit": TimestampUnit}


@dataclass(frozen=True, kw_only=True)
class HmacSignature:
    """How a sender signs.

    Args:
        header: the field with the signature, for example ``"X-Signature"``.
        prefix: what stands before the signature in it, for example ``"sha256="``.
        encoding: ``"hex"`` or ``"base64"``.
        algorithm: ``"sha256"``, ``"sha384"``, ``"sha512"``, or ``"sha1"`` for senders that know no better.
        template: what is signed: ``{body}``, ``{timestamp}``, ``{id}``, ``{url}``, ``{method}`` and any text.
        timestamp_header: the field with the time, which ``{timestamp}`` stands for; not with `pairs`.
        timestamp_unit: ``"seconds"`` or ``"milliseconds"``.
        tolerance_seconds: how far the time may be off, either way; 1 to 900.
        id_header: the field that ``{id}`` stands for.
        pairs: separator, name of the time and name of the signature, for a field such as ``t=...,v1=...``.

    Raises:
        ConfigurationError: the description contradicts itself.

    """

    header: str
    prefix: str = ""
    encoding: HmacEncoding = "hex"
    algorithm: HmacAlgorithm = "sha256"
    template: str = "{body}"
    timestamp_header: str | None = None
    timestamp_unit: TimestampUnit = "seconds"
    tolerance_seconds: int = 300
    id_header: str | None = None
    pairs: tuple[str, str, str] | None = None

    def __post_init__(self) -> None:
        for name, choices in _CHOICES.items():
            if (value := getattr(self, name)) not in get_args(choices):
                raise ConfigurationError(f"{name} must be one of {', '.join(get_args(choices))}, not {value!r}")
        if not 1 <= self.tolerance_seconds <= MAX_TOLERANCE_SECONDS:
            raise ConfigurationError(
                f"tolerance_seconds must be from 1 to {MAX_TOLERANCE_SECONDS}, not {self.tolerance_seconds!r}"
            )
        self._require_template()

    def scheme(self) -> TemplatedSignature:
        """Return the scheme that this describes."""
        layout = SingleSignature(self.prefix) if self.pairs is None else _pair_list(*self.pairs)
        return TemplatedSignature(
            header=self.header.lower(),
            keys=SharedText(self.algorithm, version="" if self.pairs is None else self.pairs[2]),
            layout=layout,
            encoding=Encoding(self.encoding),
            template=self.template,
            timestamp_header=self.timestamp_header and self.timestamp_header.lower(),
            timestamp_per_second=1000 if self.timestamp_unit == "milliseconds" else 1,
            tolerance_seconds=self.tolerance_seconds,
            id_header=self.id_header and self.id_header.lower(),
        )

    def _require_template(self) -> None:
        if unknown := unknown_placeholders(self.template):
            raise ConfigurationError(f"template {self.template!r} has {{{unknown[0]}}}, which stands for nothing")
        if "{body}" not in self.template:
            raise ConfigurationError(f"template {self.template!r} lacks {{body}}: anybody could change what is sent")
        self._require_both("{timestamp}", has_field=self.timestamp_header is not None or self.pairs is not None)
        self._require_both("{id}", has_field=self.id_header is not None)

    def _require_both(self, placeholder: str, *, has_field: bool) -> None:
        if has_field is (placeholder not in self.template):
            raise ConfigurationError(
                f"template {self.template!r}: {placeholder} and the field it stands for must be given both, or neither"
            )


def _pair_list(separator: str, timestamp_name: str, signature_name: str) -> PairList:
    return PairList(separator=separator, timestamp_name=timestamp_name, signature_name=signature_name)
