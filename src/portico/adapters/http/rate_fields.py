"""The RateLimit header fields of the IETF's draft 11, which may still change."""

import math

from portico.ports.rate_limiter import RateDecision
from portico.runtime.quotas import Quota


def quota_fields(policy: str, quota: Quota, decision: RateDecision) -> dict[str, str]:
    """Return what is allowed, what is left of it, and when there is more where nothing is left."""
    rest = "" if decision.allowed else f";t={_seconds(decision)}"
    return {
        "RateLimit-Policy": f'"{policy}";q={quota.limit};w={math.ceil(quota.window_seconds)}',
        "RateLimit": f'"{policy}";r={decision.remaining}{rest}',
    }


def refusal_fields(policy: str, quota: Quota, decision: RateDecision) -> dict[str, str]:
    """Return the fields of a 429."""
    return {**quota_fields(policy, quota, decision), **retry_fields(decision)}


def retry_fields(decision: RateDecision) -> dict[str, str]:
    """Return when the next one passes, and no word of what is allowed."""
    return {"Retry-After": str(_seconds(decision))}


def _seconds(decision: RateDecision) -> int:
    return max(1, math.ceil(decision.retry_after_seconds))
