"""How each provider signs, as data."""

from collections.abc import Mapping
from types import MappingProxyType

from portico.adapters.webhook_signature.alternatives import FirstPresent, SignedOrToken
from portico.adapters.webhook_signature.asymmetric_keys import Base64P256, HexEd25519, StandardWebhooksKeys
from portico.adapters.webhook_signature.hmac_keys import SharedText, SharedTextOfNamedAlgorithm
from portico.adapters.webhook_signature.layouts import Encoding, NamedSignature, PairList, SingleSignature, VersionList
from portico.adapters.webhook_signature.mailgun import MailgunSignature
from portico.adapters.webhook_signature.scheme import SignatureScheme
from portico.adapters.webhook_signature.templated import TemplatedSignature
from portico.adapters.webhook_signature.token_header import TokenHeader
from portico.adapters.webhook_signature.twilio import TwilioSignature


def _standard(prefix: str) -> TemplatedSignature:
    return TemplatedSignature(
        header=f"{prefix}-signature",
        layout=VersionList(),
        encoding=Encoding.BASE64,
        keys=StandardWebhooksKeys(),
        template="{id}.{timestamp}.{body}",
        timestamp_header=f"{prefix}-timestamp",
        id_header=f"{prefix}-id",
    )


def _base64_of_body(header: str) -> TemplatedSignature:
    return TemplatedSignature(header=header, encoding=Encoding.BASE64, keys=SharedText())


STANDARD_WEBHOOKS = _standard("webhook")

GITHUB = TemplatedSignature(header="x-hub-signature-256", layout=SingleSignature("sha256="), keys=SharedText())

# what HubSpot's page on validating requests lists
_HUBSPOT_DECODED = MappingProxyType(
    {
        "%3A": ":", "%2F": "/", "%3F": "?", "%40": "@", "%21": "!", "%24": "$",
        "%27": "'", "%28": "(", "%29": ")", "%2A": "*", "%2C": ",", "%3B": ";",
    }
)  # fmt: skip

SCHEMES: Mapping[str, SignatureScheme] = MappingProxyType(
    {
        "standard_webhooks": STANDARD_WEBHOOKS,
        "svix": FirstPresent((_standard("svix"), STANDARD_WEBHOOKS)),
        "openai": STANDARD_WEBHOOKS,
        "github": GITHUB,
        "gitea": TemplatedSignature(header="x-gitea-signature", keys=SharedText()),
        "gitlab": SignedOrToken(signed=STANDARD_WEBHOOKS, token=TokenHeader(header="x-gitlab-token")),
        "stripe": TemplatedSignature(
            header="stripe-signature",
            layout=PairList(separator=",", timestamp_name="t", signature_name="v1"),
            keys=SharedText(version="v1"),
            template="{timestamp}.{body}",
        ),
        "slack": TemplatedSignature(
            header="x-slack-signature",
            layout=SingleSignature("v0="),
            keys=SharedText(),
            template="v0:{timestamp}:{body}",
            timestamp_header="x-slack-request-timestamp",
        ),
        "shopify": FirstPresent((_base64_of_body("x-shopify-hmac-sha256"), _base64_of_body("shopify-hmac-sha256"))),
        "twilio": TwilioSignature(),
        "square": TemplatedSignature(
            header="x-square-hmacsha256-signature",
            encoding=Encoding.BASE64,
            keys=SharedText(),
            template="{url}{body}",
        ),
        "hubspot": TemplatedSignature(
            header="x-hubspot-signature-v3",
            encoding=Encoding.BASE64,
            keys=SharedText(),
            template="{method}{url}{body}{timestamp}",
            timestamp_header="x-hubspot-request-timestamp",
            timestamp_per_second=1000,
            decoded_in_url=_HUBSPOT_DECODED,
        ),
        "paddle": TemplatedSignature(
            header="paddle-signature",
            layout=PairList(separator=";", timestamp_name="ts", signature_name="h1"),
            keys=SharedText(version="h1"),
            template="{timestamp}:{body}",
        ),
        "mailgun": MailgunSignature(),
        "sendgrid": TemplatedSignature(
            header="x-twilio-email-event-webhook-signature",
            encoding=Encoding.BASE64,
            keys=Base64P256(),
            template="{timestamp}{body}",
            timestamp_header="x-twilio-email-event-webhook-timestamp",
        ),
        "discord": TemplatedSignature(
            header="x-signature-ed25519",
            keys=HexEd25519(),
            template="{timestamp}{body}",
            timestamp_header="x-signature-timestamp",
        ),
        "zoom": TemplatedSignature(
            header="x-zm-signature",
            layout=SingleSignature("v0="),
            keys=SharedText(),
            template="v0:{timestamp}:{body}",
            timestamp_header="x-zm-request-timestamp",
        ),
        "line": _base64_of_body("x-line-signature"),
        "websub": TemplatedSignature(
            header="x-hub-signature",
            layout=NamedSignature(),
            # SHA-1, which the specification still knows, is left out
            keys=SharedTextOfNamedAlgorithm(("sha256", "sha384", "sha512")),
        ),
        "cloudevents": TokenHeader(header="authorization", prefix="Bearer "),
    }
)
"""From the name of a provider to its scheme; `hmac` is described by its user."""
