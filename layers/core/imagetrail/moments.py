"""Times as text and ids that sort by time."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from uuid import UUID


def utc_now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)


def to_text(moment: datetime) -> str:
    """ISO 8601 in UTC with microseconds and Z: 27 characters that sort by time."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def from_text(text: str) -> datetime:
    """Any ISO 8601 date (its midnight in UTC) or time with a zone. Raises ValueError with what to change."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(
            "must be a date such as 2026-02-02 or a time such as 2026-02-02T10:30:00Z (write + as %2B)"
        ) from None
    if moment.tzinfo is None:
        if len(text) > 10:
            raise ValueError("must say its zone: end it with Z for UTC, or with an offset such as %2B01:00")
        moment = moment.replace(tzinfo=UTC)
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("must lie between the years 1 and 9999 in UTC") from None


def new_id(moment: datetime, entropy: int | None = None) -> str:
    """A UUID version 7 (RFC 9562, section 5.7): 48 bits of milliseconds, then 74 random bits."""
    bits = secrets.randbits(74) if entropy is None else entropy
    milliseconds = int(moment.timestamp() * 1000)
    high, low = bits >> 62, bits & ((1 << 62) - 1)
    return str(UUID(int=milliseconds << 80 | 0x7 << 76 | high << 64 | 0b10 << 62 | low))
