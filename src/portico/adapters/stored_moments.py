"""Moments as stores without a type for them keep them: whole microseconds since 1970, in UTC."""

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECONDS_A_DAY = 86_400


def microseconds(moment: datetime) -> int:
    """Return the moment as it is stored."""
    since = moment - _EPOCH
    return (since.days * _SECONDS_A_DAY + since.seconds) * 1_000_000 + since.microseconds


def moment(stored: int) -> datetime:
    """Return what was stored as a moment."""
    return _EPOCH + timedelta(microseconds=stored)
